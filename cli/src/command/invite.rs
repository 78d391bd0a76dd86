//! `p2p invite` and `p2p invites`: links by which somebody becomes a contact.

use hyper::Method;
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value, json};

use crate::arguments::{Invite, Invites};
use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, Table, escape};
use crate::peer::short;

/// Light modules around the code; readers manage with two on a dark terminal.
const QUIET: i32 = 2;
/// First characters of an invitation's id that are shown.
const SHORT: usize = 8;

/// Runs `p2p invite`.
pub(super) async fn create(context: &Context, invite: Invite) -> Result<(), Failure> {
    let client = context.client()?;
    let body = json!({
        "petname": invite.name,
        "uses": invite.uses,
        "expires_s": invite.hours.saturating_mul(3_600),
    });
    let made = client.json(Call::post("/v1/invites").json(&body)).await?;
    let output = &context.output;
    if output.json {
        output.value(&made);
        return Ok(());
    }
    let link = made["link"].as_str().unwrap_or_default();
    if invite.qr {
        qr(link).iter().for_each(|line| output.line(line));
    }
    output.line(escape(link));
    let times = match invite.uses {
        1 => "once".to_owned(),
        uses => format!("{uses} times"),
    };
    output.remark(format!(
        "Whoever has the link becomes your contact by: p2p join LINK. It works {times}, until {}.",
        escape(made["expires"].as_str().unwrap_or("?"))
    ));
    output.remark("Give it to nobody else. p2p tail tells when somebody comes; p2p invites lists and revokes.");
    Ok(())
}

/// The link as a QR code of half blocks, light on dark, so that it is read from a dark terminal; in capitals, which
/// take less room in it.
fn qr(link: &str) -> Vec<String> {
    let Ok(code) = QrCode::encode_text(&link.to_ascii_uppercase(), QrCodeEcc::Low) else {
        return Vec::new();
    };
    let is_light = |x: i32, y: i32| !code.get_module(x, y);
    let places = -QUIET..code.size() + QUIET;
    let line = |y: i32| {
        let block = |x: i32| match (is_light(x, y), is_light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        places.clone().map(block).collect()
    };
    places.clone().step_by(2).map(line).collect()
}

/// Runs `p2p invites`.
pub(super) async fn list(context: &Context, action: Option<Invites>) -> Result<(), Failure> {
    let client = context.client()?;
    let output = &context.output;
    if let Some(Invites::Revoke { id }) = action {
        let id = whole(&client, &id).await?;
        let path = format!("/v1/invites/{}", segment(&id));
        client.bytes(Call::new(Method::DELETE, path)).await?;
        let done = "the link works no more; who followed it before stays a contact";
        if output.json {
            output.value(&json!({"done": done}));
        } else {
            output.line(done);
        }
        return Ok(());
    }
    let list = client.json(Call::get("/v1/invites")).await?;
    if output.json {
        output.value(&list);
        return Ok(());
    }
    show(output, &list);
    Ok(())
}

/// The id that begins so; where none or several do, as it is.
async fn whole(client: &Client, start: &str) -> Result<String, Failure> {
    let list = client.json(Call::get("/v1/invites")).await?;
    let ids = list["items"].as_array().into_iter().flatten();
    let ids = ids.filter_map(|invite| invite["id"].as_str());
    let mut fits = ids.filter(|id| id.starts_with(start));
    Ok(match (fits.next(), fits.next()) {
        (Some(id), None) => id.to_owned(),
        _ => start.to_owned(),
    })
}

fn show(output: &Output, list: &Value) {
    let items = |member: &str| list[member].as_array().cloned().unwrap_or_default();
    let (invites, joining) = (items("items"), items("joining"));
    if invites.is_empty() && joining.is_empty() {
        output.line("No invitation is open. Make one with: p2p invite");
    }
    if !invites.is_empty() {
        let mut table = Table::new(&["INVITATION", "FOR", "LEFT", "UNTIL", "TAKEN BY"]);
        for invite in &invites {
            let text = |member: &str| invite[member].as_str().map(escape);
            let id: String = text("id").unwrap_or_default().chars().take(SHORT).collect();
            let taken = invite["taken_by"].as_array().into_iter().flatten();
            let taken: Vec<_> = taken.filter_map(Value::as_str).map(short).collect();
            table.row(vec![
                (id, None),
                (text("petname").unwrap_or_else(|| "-".to_owned()), None),
                (
                    format!("{} of {}", invite["uses_left"], invite["uses"]),
                    None,
                ),
                (text("expires").unwrap_or_default(), None),
                (taken.join(", "), None),
            ]);
        }
        table
            .lines(output)
            .iter()
            .for_each(|line| output.line(line));
    }
    for join in &joining {
        output.line(waiting(join));
    }
}

/// Where a link of somebody else's stands that is still followed.
pub(super) fn waiting(join: &Value) -> String {
    let who = match join["petname"].as_str() {
        Some(name) => escape(name),
        None => short(join["peer"].as_str().unwrap_or("?")),
    };
    let reason = join["reason"].as_str();
    let reason = reason.map_or(String::new(), |r| {
        format!(" ({})", escape(&r.replace('_', " ")))
    });
    let until = escape(join["expires"].as_str().unwrap_or("?"));
    format!("{who} does not answer yet{reason}; this node goes on calling until {until}")
}

#[cfg(test)]
mod tests {
    use p2p_core::id::encode_z_base_32;

    use super::*;

    #[test]
    fn a_link_of_the_usual_length_fits_eighty_columns() {
        let link = format!("p2p:j/{}", encode_z_base_32(&[0xA5; 140]));
        let lines = qr(&link);
        let width = lines.first().map_or(0, |line| line.chars().count());
        assert!((30..=80).contains(&width), "{width}");
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert!(lines.len() <= 40, "{}", lines.len());
        assert!(lines[0].chars().all(|c| c == '█'), "a quiet zone");
    }
}
