//! Volleys between two sets of paths through model NATs, and what an attacker gains.

mod attack;
mod stale;
mod volley;
mod world;
