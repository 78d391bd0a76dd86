//! `p2p token`: the secret that opens the HTTP surface, for scripts of the same user.

use serde_json::json;

use crate::arguments::Token;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::place;

/// Runs it.
pub(super) fn run(context: &Context, action: Token) -> Result<(), Failure> {
    let state = context.state_directory()?;
    let path = place::token_path(&state);
    let output = &context.output;
    match action {
        Token::Path if output.json => output.value(&json!({"path": path.display().to_string()})),
        Token::Path => output.line(path.display().to_string()),
        Token::Print => {
            let token = place::token(&state)?.ok_or_else(|| {
                Failure::new(exit::NOT_FOUND, "no_token", "There is no token yet")
                    .because(format!("{} does not exist.", path.display()))
                    .fix("Start a node with p2p up, or name its directory with --state-dir.")
            })?;
            if output.json {
                output.value(&json!({"token": token}));
            } else {
                output.line(token);
            }
        }
    }
    Ok(())
}
