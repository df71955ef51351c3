//! A page under way. Whatever comes from data is escaped here, and nowhere else.

use crate::plot::font::clean;
use crate::plot::paint::escaped;

/// The text of a page.
#[derive(Default)]
pub(super) struct Html {
    pub text: String,
}

/// A cell of a table.
pub(super) enum Cell {
    /// A figure, aligned to the right.
    Number(String),
    /// Words.
    Words(String),
    /// The id of a series, which may be long.
    Id(String),
}

impl Html {
    /// Adds marks that are ours.
    pub fn raw(&mut self, marks: &str) {
        self.text.push_str(marks);
    }

    /// Adds an element that holds words.
    pub fn element(&mut self, name: &str, words: &str) {
        self.text.push_str(&format!("<{name}>{}</{name}>\n", escaped(&clean(words))));
    }

    /// Adds an element of a class that holds words.
    pub fn classed(&mut self, name: &str, class: &str, words: &str) {
        self.text.push_str(&format!("<{name} class=\"{class}\">{}</{name}>\n", escaped(&clean(words))));
    }

    /// Adds a list; nothing for no items.
    pub fn list(&mut self, items: &[String]) {
        if !items.is_empty() {
            self.raw("<ul>\n");
            items.iter().for_each(|item| self.element("li", item));
            self.raw("</ul>\n");
        }
    }

    /// Adds a table whose first column names the rows; the row of that number stands out.
    pub fn table(&mut self, caption: &str, header: &[&str], rows: Vec<Vec<Cell>>, best: Option<usize>) {
        // A region that scrolls has to be reachable by keyboard.
        self.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
        self.text.push_str(&escaped(&clean(caption)));
        self.raw("\">\n<table>\n");
        self.raw("<caption>");
        self.element("span", caption);
        self.raw("</caption>\n");
        self.raw("<thead><tr>");
        for (place, name) in header.iter().enumerate() {
            let is_words = rows
                .first()
                .and_then(|row| row.get(place))
                .is_some_and(|cell| !matches!(cell, Cell::Number(_)));
            let class = if is_words && place > 0 { " class=\"words\"" } else { "" };
            self.text.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escaped(&clean(name))));
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for (number, row) in rows.into_iter().enumerate() {
            self.raw(if best == Some(number) { "<tr class=\"best\">" } else { "<tr>" });
            for (place, cell) in row.into_iter().enumerate() {
                let (class, words) = match cell {
                    Cell::Number(words) => ("", words),
                    Cell::Words(words) => (" class=\"words\"", words),
                    Cell::Id(words) => (" class=\"id\"", words),
                };
                let (name, scope) = if place == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
                self.text.push_str(&format!("<{name}{scope}{class}>{}</{name}>", escaped(&clean(&words))));
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n</div>\n");
    }

    /// Adds a picture with words below.
    pub fn figure(&mut self, svg: &str, caption: &str) {
        self.raw("<figure><div class=\"scroll\">\n");
        self.raw(svg);
        self.raw("</div>\n");
        self.element("figcaption", caption);
        self.raw("</figure>\n");
    }
}
