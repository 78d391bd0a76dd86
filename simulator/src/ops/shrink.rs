//! Makes a failing plot shorter: leaves out halves, quarters and single operations as long as it
//! still fails.

use super::Op;

/// The shortest list found with at most `budget` trials for which `fails` still holds.
#[must_use]
pub fn shrink(ops: &[Op], budget: usize, mut fails: impl FnMut(&[Op]) -> bool) -> Vec<Op> {
    let mut best = ops.to_vec();
    let mut trials = 0;
    let mut chunk = best.len().div_ceil(2).max(1);
    loop {
        let mut shortened = false;
        let mut start = 0;
        while start < best.len() && trials < budget {
            let end = (start + chunk).min(best.len());
            let candidate = [&best[..start], &best[end..]].concat();
            trials += 1;
            if fails(&candidate) {
                best = candidate;
                shortened = true;
            } else {
                start = end;
            }
        }
        let finest = chunk == 1;
        if trials >= budget || (finest && !shortened) {
            return best;
        }
        if !shortened || !finest {
            chunk = chunk.div_ceil(2).max(1);
        }
    }
}
