//! chromedriver as a child process, and commands to it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::netns::http::{self, Request};

const SILENCE: Duration = Duration::from_secs(60);
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];
/// No sandbox, because root has none; no calls home; nothing but loopback resolves; windows in the background go on.
const SWITCHES: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--hide-scrollbars",
    "--window-size=1280,800",
];

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let candidates = names
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |p| p.join(name)));
    candidates.into_iter().find(|p| p.is_file())
}

/// Says what is missing for a browser test, if anything is.
#[must_use]
pub fn missing() -> Option<&'static str> {
    if on_path(&["chromedriver"]).is_none() {
        return Some("chromedriver is not on the path");
    }
    if on_path(BROWSERS).is_none() {
        return Some("no Chromium is on the path");
    }
    None
}

/// A browser with a profile of its own; it ends, and the profile goes, when this is dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    profile: PathBuf,
}

impl Browser {
    /// Starts chromedriver and, through it, the browser; the profile is kept below `folder`.
    ///
    /// # Errors
    /// What did not start.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let text = |e: std::io::Error| format!("chromedriver: {e}");
        let program = on_path(&["chromedriver"]).ok_or("no chromedriver")?;
        let browser = on_path(BROWSERS).ok_or("no Chromium")?;
        let profile = folder.join("profile");
        fs::create_dir_all(&profile).map_err(text)?;
        let mut command = Command::new(program);
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = command.spawn().map_err(text)?;
        let output = driver.stdout.take().ok_or("chromedriver: no output")?;
        let mut started = Self {
            driver,
            address: String::new(),
            session: String::new(),
            profile,
        };
        let mut lines = BufReader::new(output).lines();
        let port = lines.find_map(|line| port_of(&line.ok()?));
        started.address = format!("127.0.0.1:{}", port.ok_or("chromedriver: names no port")?);
        // Reads on, so that the driver never waits for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let mut switches: Vec<String> = SWITCHES.iter().map(ToString::to_string).collect();
        switches.push(format!("--user-data-dir={}", started.profile.display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": switches},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 20_000, "pageLoad": 20_000},
        }}});
        let answer = started.send("POST", "/session", &capabilities)?;
        let session = answer["sessionId"]
            .as_str()
            .ok_or_else(|| format!("no session: {answer}"))?;
        started.session = session.to_owned();
        Ok(started)
    }

    /// Sends a command of the session and gives its value.
    ///
    /// # Errors
    /// What the driver complained of.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.send(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Sends a command of the DevTools protocol to the window in front.
    ///
    /// # Errors
    /// What the driver complained of.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        self.command(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// What the consoles of all windows said since the last call.
    ///
    /// # Errors
    /// What the driver complained of.
    pub fn console(&self) -> Result<Vec<String>, String> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}))?;
        let entries = log.as_array().ok_or_else(|| format!("no log: {log}"))?;
        Ok(entries
            .iter()
            .map(|e| format!("{} {}", e["level"], e["message"]))
            .collect())
    }

    fn send(&self, method: &str, target: &str, body: &Value) -> Result<Value, String> {
        let text = |e: std::io::Error| format!("chromedriver: {method} {target}: {e}");
        let stream = TcpStream::connect(&self.address).map_err(text)?;
        stream.set_read_timeout(Some(SILENCE)).map_err(text)?;
        let content = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = [("content-type", "application/json")];
        let request = Request {
            method,
            target,
            headers: &headers,
            body: content.as_bytes(),
        };
        let (head, mut rest) = http::send(stream, &self.address, &request).map_err(text)?;
        let mut bytes = Vec::new();
        rest.read_to_end(&mut bytes).map_err(text)?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
        if head.status == 200 {
            Ok(answer["value"].clone())
        } else {
            Err(format!("{method} {target}: {}", answer["value"]["message"]))
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser; the driver alone would leave it running.
            let _ = self.command("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The port in "ChromeDriver was started successfully on port 40123."
fn port_of(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("successfully on port ")?;
    rest.trim_end_matches('.').parse().ok()
}
