//! Columns of text for people, as wide as their widest cell. Cells may carry colour, which takes no room.

use super::{Output, Tone};

/// A table that is printed once it is complete.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; the caller has escaped what others wrote.
    pub(crate) fn row(&mut self, cells: Vec<(String, Option<Tone>)>) {
        self.rows.push(cells);
    }

    /// The lines, headings first.
    pub(crate) fn lines(&self, output: &Output) -> Vec<String> {
        let widths: Vec<usize> = (0..self.headings.len()).map(|i| self.width(i)).collect();
        let headings = self.headings.iter().zip(&widths);
        let heading = headings
            .map(|(h, width)| format!("{h:<width$}"))
            .collect::<Vec<_>>();
        let mut lines = vec![output.paint(Tone::Strong, heading.join("  ").trim_end())];
        for row in &self.rows {
            let mut line = String::new();
            for ((text, tone), width) in row.iter().zip(&widths) {
                let room = width.saturating_sub(text.chars().count());
                line.push_str(&tone.map_or_else(|| text.clone(), |t| output.paint(t, text)));
                line.push_str(&" ".repeat(room + 2));
            }
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells
            .map(|(text, _)| text.chars().count())
            .max()
            .unwrap_or(0);
        widest.max(self.headings.get(column).map_or(0, |h| h.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let output = Output::new(false, false);
        let mut table = Table::new(&["PEER", "NAME"]);
        table.row(vec![("y".to_owned(), None), ("ada".to_owned(), None)]);
        table.row(vec![("yybbnn".to_owned(), None), ("Zoë".to_owned(), None)]);
        let lines = table.lines(&output);
        assert_eq!(lines[1], "y       ada");
        assert_eq!(lines[2], "yybbnn  Zoë");
    }
}
