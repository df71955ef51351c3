//! The cells of some columns of CSV records, as slices of one text.

/// Records that were split into their cells.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// Start and length of every cell, record by record, in bytes.
    places: Vec<(u32, u32)>,
    /// Cells of a record.
    width: usize,
}

impl Cells {
    /// Of records with `width` cells each. The error is the number of line feeds before the first byte that is no text.
    pub(super) fn new(bytes: Vec<u8>, places: Vec<(u32, u32)>, width: usize) -> Result<Cells, usize> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Cells { text, places, width }),
            Err(error) => {
                let text = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                Err(text.iter().filter(|&&byte| byte == b'\n').count())
            }
        }
    }

    /// Number of records.
    pub(super) fn rows(&self) -> usize {
        self.places.len().checked_div(self.width).unwrap_or_default()
    }

    /// The cells of one column.
    pub(super) fn column(&self, at: usize) -> Column<'_> {
        Column { cells: self, at }
    }
}

/// One column of [`Cells`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    cells: &'a Cells,
    at: usize,
}

impl<'a> Column<'a> {
    /// Its cells from the first record on; nothing between two separators is the empty text.
    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> {
        let text = |&(start, length): &(u32, u32)| &self.cells.text[start as usize..][..length as usize];
        self.cells.places.chunks_exact(self.cells.width.max(1)).map(move |record| text(&record[self.at]))
    }
}
