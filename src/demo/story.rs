//! The story as text: acts, sentences and tables, to the terminal and to a file.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use protocol::Amount;

use crate::failure::Failure;
use crate::out;

/// Columns of a line of prose, and the most of a table.
const WIDTH: u16 = 78;

/// One line under the header, one at the end.
const STYLE: TableStyle = TableStyle::new()
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// What is told so far.
#[derive(Default)]
pub struct Story {
    text: String,
    is_silent: bool,
    acts: usize,
    failure: Option<Failure>,
}

impl Story {
    /// A story that is told as it goes, or, silent, only kept.
    pub fn new(is_silent: bool) -> Self {
        Self {
            is_silent,
            ..Self::default()
        }
    }

    fn put(&mut self, text: &str) {
        if !self.is_silent && self.failure.is_none() {
            self.failure = out::line(text).err();
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Begins an act.
    pub fn act(&mut self, title: &str) {
        self.acts += 1;
        let title = format!("{}. {title}", self.acts);
        self.put(&format!("\n{title}\n{}", "─".repeat(title.chars().count())));
    }

    /// A paragraph.
    pub fn say(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty()
                && line.chars().count() + 1 + word.chars().count() > usize::from(WIDTH)
            {
                self.put(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.put(&line);
    }

    /// A table; the columns named in `right` are aligned there.
    pub fn table(&mut self, header: &[&str], right: &[usize], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_style(STYLE).set_header(header.to_vec());
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH - 2);
        table.add_rows(rows);
        for &column in right {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.to_string().lines() {
            self.put(&format!("  {}", line.trim_end()));
        }
        self.put("");
    }

    /// Whether all of it could be printed.
    ///
    /// # Errors
    /// The first failure of stdout.
    pub fn check_printed(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// All that was told.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// An amount in LODE to six places, for people; files and JSON have every digit.
pub fn lode_text(amount: Amount) -> String {
    let exact = amount.to_lode_string();
    let (whole, places) = exact.split_once('.').unwrap_or((&exact, ""));
    match places.len() {
        0 => grouped(whole),
        count => format!("{}.{}", grouped(whole), &places[..count.min(6)]),
    }
}

/// Decimal digits in groups of three.
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_cut() {
        let read = |text| Amount::parse_lode(text).unwrap();
        assert_eq!(lode_text(read("1234567.5")), "1,234,567.5");
        assert_eq!(lode_text(read("0.123456789")), "0.123456");
        assert_eq!(lode_text(read("999")), "999");
    }
}
