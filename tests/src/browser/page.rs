//! One window of the browser: typing, clicking, reading, and how it is shown.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::driver::Browser;
use super::picture;
use crate::netns::tool::until;

const PATIENCE: Duration = Duration::from_secs(15);
/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Size and colours of a window.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// Whether the system asks for dark colours.
    pub dark: bool,
}

/// A window.
pub struct Page<'b> {
    browser: &'b Browser,
    handle: String,
    /// Console lines of this window, gathered whenever it was in front.
    console: RefCell<Vec<String>>,
}

impl<'b> Page<'b> {
    /// Opens a new window at an address.
    ///
    /// # Panics
    /// Where the browser does not.
    #[must_use]
    pub fn open(browser: &'b Browser, address: &str) -> Self {
        let window = browser.command("POST", "/window/new", &json!({"type": "window"}));
        let window = window.expect("a window");
        let handle = window["handle"].as_str().expect("a handle").to_owned();
        let page = Self {
            browser,
            handle,
            console: RefCell::default(),
        };
        page.send("POST", "/url", &json!({"url": address}));
        page
    }

    /// Goes to another path of the same node.
    ///
    /// # Panics
    /// Where the browser does not.
    pub fn visit(&self, path: &str) {
        let here = self.script("return location.origin;", &json!([]));
        let origin = here.as_str().expect("an origin");
        self.send("POST", "/url", &json!({"url": format!("{origin}{path}")}));
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let done = self.try_send(method, path, body);
        done.unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn try_send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.browser
            .command("POST", "/window", &json!({"handle": self.handle}))?;
        let done = self.browser.command(method, path, body);
        self.console.borrow_mut().extend(self.browser.console()?);
        done
    }

    /// Runs the body of a function in the page and gives what it returns.
    #[must_use]
    pub fn script(&self, body: &str, arguments: &Value) -> Value {
        self.send(
            "POST",
            "/execute/sync",
            &json!({"script": body, "args": arguments}),
        )
    }

    /// The visible text of the first element that a selector finds; `None` where there is none or it is hidden.
    #[must_use]
    pub fn text(&self, selector: &str) -> Option<String> {
        let body = "const e = document.querySelector(arguments[0]); \
                    return e && e.checkVisibility() ? e.innerText : null;";
        self.script(body, &json!([selector]))
            .as_str()
            .map(ToOwned::to_owned)
    }

    /// Waits until an element is visible and its text holds `words`.
    ///
    /// # Panics
    /// After 15 s, with what was there instead.
    pub fn wait_for(&self, selector: &str, words: &str) {
        let seen = || self.text(selector).filter(|text| text.contains(words));
        if until(PATIENCE, seen).is_none() {
            let instead = self.text(selector);
            panic!(
                "{selector} does not show {words:?} but {instead:?}; {}",
                self.summary()
            );
        }
    }

    /// Clicks the middle of a visible element, as a person would: what covers it gets the click.
    ///
    /// # Panics
    /// Where it does not appear or cannot be clicked.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.send("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element; `\u{E007}` is the enter key.
    ///
    /// # Panics
    /// As [`Page::click`].
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.send(
            "POST",
            &format!("/element/{element}/value"),
            &json!({"text": text}),
        );
    }

    fn element(&self, selector: &str) -> String {
        let shown = || self.text(selector).map(drop);
        if until(PATIENCE, shown).is_none() {
            panic!("{selector} does not appear; {}", self.summary());
        }
        let find = json!({"using": "css selector", "value": selector});
        let element = self.send("POST", "/element", &find);
        element[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// What the page says, shortened, for a failure's message.
    fn summary(&self) -> String {
        let text = self.text("body").unwrap_or_default();
        let text: String = text.chars().take(600).collect();
        format!(
            "the page says {text:?}, its console {:?}",
            self.console.borrow()
        )
    }

    /// Shows the page in a size and in light or dark colours.
    ///
    /// # Panics
    /// Where the browser does not.
    pub fn look(&self, look: Look) {
        let (width, height) = look.size;
        let _ = self.send("POST", "/window", &json!({"handle": self.handle}));
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        let colours = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": colours}]});
        let metrics = self
            .browser
            .devtools("Emulation.setDeviceMetricsOverride", &metrics);
        metrics.expect("a size");
        self.browser
            .devtools("Emulation.setEmulatedMedia", &media)
            .expect("colours");
    }

    /// What does not fit a width in CSS pixels: the layout itself, the content, single elements.
    #[must_use]
    pub fn misfits(&self, width: u32) -> Vec<String> {
        let body = "const root = document.documentElement, room = arguments[0], found = []; \
            if (root.clientWidth !== room) found.push(`laid out for ${root.clientWidth} pixels`); \
            if (root.scrollWidth > room) found.push(`content of ${root.scrollWidth} pixels`); \
            for (const e of document.querySelectorAll('body *')) \
                if (e.checkVisibility() && e.getBoundingClientRect().right > room + 1) \
                    found.push(`${e.tagName}#${e.id}.${e.className} sticks out`); \
            return found.slice(0, 8);";
        let found = self.script(body, &json!([width]));
        let texts = found.as_array().into_iter().flatten();
        texts
            .map(|text| text.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Everything that this window's console said: errors, failed requests, violations of the policy.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        let _ = self.script("return 0;", &json!([]));
        self.console.borrow().clone()
    }

    /// Saves a screenshot of the window as a PNG file.
    ///
    /// # Panics
    /// Where it cannot be taken or saved.
    pub fn picture(&self, file: &Path) {
        let taken = self.send("GET", "/screenshot", &Value::Null);
        let bytes = picture::from_base64(taken.as_str().expect("a picture")).expect("base64");
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for pictures");
        fs::write(file, bytes).expect("a saved picture");
    }
}
