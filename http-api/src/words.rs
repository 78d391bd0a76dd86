//! An identity as eight words, for people who compare it by voice: BLAKE2s-256 over a label and the id, one word for
//! each of the first 64 bits' bytes. Finding another id with the same words takes 2^64 tries.

use blake2::{Blake2s256, Digest};
use p2p_core::id::NodeId;

/// Words in a fingerprint.
const FINGERPRINT_WORDS: usize = 8;

/// The words of an id.
pub fn fingerprint(id: &NodeId) -> Vec<&'static str> {
    let hash = Blake2s256::new()
        .chain_update(b"p2p fingerprint")
        .chain_update(id.as_bytes())
        .finalize();
    let bytes = hash.iter().take(FINGERPRINT_WORDS);
    bytes.map(|byte| WORDS[usize::from(*byte)]).collect()
}

#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "acorn", "actor", "album", "alley", "alpha", "amber", "anchor", "angle",
    "ankle", "apple", "april", "apron", "arch", "arrow", "artist", "atlas",
    "attic", "autumn", "badge", "baker", "balloon", "bamboo", "banjo", "barley",
    "basin", "basket", "beach", "beacon", "beetle", "bell", "berry", "bicycle",
    "bishop", "blanket", "blossom", "board", "bonfire", "border", "bottle", "bread",
    "brick", "bridge", "bronze", "brook", "brush", "bucket", "butter", "button",
    "cabin", "cactus", "camel", "candle", "canoe", "canyon", "captain", "carbon",
    "carpet", "castle", "cedar", "cello", "chalk", "cherry", "chess", "circle",
    "circus", "clay", "clever", "clock", "cloud", "clover", "coach", "cobalt",
    "coffee", "comet", "copper", "coral", "cotton", "cousin", "cradle", "crayon",
    "cricket", "crown", "crystal", "curtain", "cymbal", "dairy", "daisy", "dance",
    "dawn", "desert", "diamond", "dinner", "dolphin", "donkey", "dragon", "dream",
    "drum", "eagle", "early", "earth", "echo", "elbow", "elder", "ember",
    "engine", "envoy", "falcon", "family", "farmer", "feather", "fender", "fern",
    "ferry", "fiddle", "field", "finch", "flag", "flame", "flower", "flute",
    "forest", "fossil", "fountain", "fox", "friday", "frost", "galaxy", "garden",
    "garlic", "giant", "ginger", "glacier", "glass", "globe", "goose", "grape",
    "gravel", "guitar", "hammer", "harbor", "hazel", "helmet", "heron", "hill",
    "holiday", "honey", "horizon", "hotel", "iceberg", "igloo", "indigo", "island",
    "ivory", "jacket", "jasmine", "jelly", "jewel", "jungle", "juniper", "kayak",
    "kettle", "kitchen", "kitten", "ladder", "lagoon", "lantern", "laurel", "lemon",
    "letter", "lilac", "linen", "lion", "lizard", "lobster", "lotus", "lunar",
    "magnet", "mango", "maple", "marble", "market", "meadow", "melon", "mirror",
    "monday", "mosaic", "mountain", "museum", "music", "napkin", "nectar", "needle",
    "nickel", "north", "nutmeg", "oasis", "ocean", "olive", "onion", "opera",
    "orange", "orchid", "otter", "oyster", "paddle", "palace", "panda", "paper",
    "parade", "parrot", "pebble", "pencil", "pepper", "piano", "pilot", "pirate",
    "planet", "plum", "pocket", "polar", "pony", "poppy", "prairie", "pumpkin",
    "puzzle", "quartz", "queen", "rabbit", "radio", "rainbow", "raven", "ribbon",
    "river", "robin", "rocket", "saddle", "saffron", "salmon", "sandal", "satin",
    "school", "season", "shadow", "sierra", "silver", "temple", "tiger", "tulip",
    "tunnel", "turtle", "valley", "velvet", "violin", "walnut", "window", "zebra",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_differ_and_ids_differ() {
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), 256);
        let words = fingerprint(&NodeId::from_bytes([1; 32]));
        assert_eq!(words.len(), 8);
        assert_ne!(words, fingerprint(&NodeId::from_bytes([2; 32])));
    }
}
