//! Volleys between two sets of paths through model NATs, and what an attacker gains.

mod attack;
mod volley;
mod world;
