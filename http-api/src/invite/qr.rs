//! A link as a QR code (ISO/IEC 18004), for the page.

use core::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around the code that readers need.
const QUIET: i32 = 4;

/// The code as an SVG image, dark on white whatever the page's colours; none where the text is too long for a code.
///
/// The text is written in capitals, which the code's alphanumeric mode holds in little room.
pub(crate) fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(&text.to_ascii_uppercase(), QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\""
    );
    for y in 0..code.size() {
        for x in 0..code.size() {
            if code.get_module(x, y) {
                let _ = write!(svg, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
            }
        }
    }
    svg.push_str("\"/></svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_quiet_zone() {
        let svg = svg("p2p:j/ybndrfg8").expect("short enough");
        assert!(svg.contains("viewBox=\"0 0 29 29\""), "{svg}");
        for corner in ["M4 4h1", "M24 4h1", "M4 24h1"] {
            assert!(svg.contains(corner), "{corner}");
        }
        assert!(!svg.contains("M3 ") && !svg.contains("M25 "));
        assert_eq!(super::svg(&"y".repeat(5_000)), None);
    }
}
