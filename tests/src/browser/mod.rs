//! A real browser for the web page: headless Chromium, driven by chromedriver through the WebDriver protocol (W3C),
//! spoken over a blocking socket. It types and clicks as a person does and reads what a person would see, plus the
//! console, where violations of the content security policy are reported.
//!
//! [`driver`] starts and ends the browser, [`page`] is what one can do with a window, [`picture`] takes screenshots.
//! The browser is told to reach loopback only.

pub mod driver;
pub mod page;
pub mod picture;

pub use driver::{Browser, missing};
pub use page::{Look, Page};
