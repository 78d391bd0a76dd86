//! Every input that was ever worth keeping goes through its target again.

use std::fs;
use std::path::Path;

use p2p_fuzz::TARGETS;

#[test]
fn the_corpus_breaks_no_promise() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let files = fs::read_dir(&folder).expect("each target has a corpus");
        let mut paths: Vec<_> = files.map(|f| f.expect("readable").path()).collect();
        paths.sort();
        assert!(paths.len() >= 3, "{name} has {} inputs", paths.len());
        for path in paths {
            println!("{}", path.display());
            target(&fs::read(&path).expect("readable"));
        }
    }
}
