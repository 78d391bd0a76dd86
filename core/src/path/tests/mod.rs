//! Volleys between two sets of paths.
