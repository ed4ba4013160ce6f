//! Plain tables as kubectl prints them, ages as kubectl writes them, and texts made fit for a terminal.

use std::fmt;

/// Columns by position; the first row is the header.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Columns of space between two columns.
const PADDING: usize = 3;

impl Table {
    /// A table with these headers and no rows.
    pub fn new(headers: &[&str]) -> Self {
        Self { rows: vec![headers.iter().map(|header| (*header).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:<width$}", width = width + PADDING);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text` without characters that would move a terminal's cursor or change its colours; line ends become spaces.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// `text` broken at spaces into lines of at most `width`, all but the first indented. Words too long for a line are cut.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let width = width.max(indent + 8);
    let mut lines: Vec<String> = Vec::new();
    let leading: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut line = leading.clone();
    let mut is_blank = true;
    // Runs of spaces stay, because columns are made of them.
    for word in text[leading.len()..].split_inclusive(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let room = width.saturating_sub(line.chars().count());
            let length = word.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
            if length <= room {
                line.extend(&word);
                is_blank = false;
                break;
            }
            if is_blank {
                line.extend(word.drain(..room));
            }
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(indent);
            is_blank = true;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.join("\n") + "\n"
}

/// An age in seconds as kubectl writes it: two units while the second one matters.
pub fn age(seconds: i64) -> String {
    if seconds < 0 {
        return "0s".to_owned();
    }
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |whole: i64, unit: &str, rest: i64, rest_unit: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{rest_unit}"),
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 8 * 365 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["GROUP", "PHASE"]);
        table.row(&["default".into(), "Succeeded".into()]);
        table.row(&["x\u{1b}[31m".into(), String::new()]);
        assert_eq!(table.to_string(), "GROUP     PHASE\ndefault   Succeeded\nx[31m\n");
    }

    #[test]
    fn ages_are_kubectls() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (302, "5m2s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (3 * 3_600 + 60, "3h1m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (176_400, "2d1h"),
            (9 * 86_400, "9d"),
            (800 * 86_400, "2y70d"),
            (3_000 * 86_400, "8y"),
        ] {
            assert_eq!(age(seconds), text, "{seconds}");
        }
    }
}
