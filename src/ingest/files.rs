//! What a file is by its name and its ends: its format, whether it is to be read, and why not.

use super::hive;
use super::seen::Seen;
use super::spec::{IngestError, IngestErrorKind};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Text with a separator; `None` finds it in the header.
    Csv(Option<u8>),
    /// Apache Parquet.
    Parquet,
}

/// One file to read.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    /// Where its content is: of an object, the copy.
    pub(super) path: PathBuf,
    /// As messages name it: its path or address.
    pub(super) name: String,
    pub(super) format: Format,
    /// Columns that the path holds as `key=value`; `None` is Hive's null.
    pub(super) hive: Vec<(String, Option<String>)>,
    /// Named by the user, so that it must be readable; files of a directory or glob may be left out.
    pub(super) named: bool,
    /// Size and times, taken before the content is looked at.
    pub(super) seen: Seen,
}

const TEXT_EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];
const PARQUET_EXTENSIONS: [&str; 3] = ["parquet", "pq", "parq"];
const PACKED_EXTENSIONS: [&str; 5] = ["gz", "zst", "zip", "bz2", "xz"];

pub(super) enum Refusal {
    None,
    /// Not meant to be read: directories hold marks of other programs, such as `_SUCCESS`.
    Foreign(&'static str),
    Because(&'static str),
}

pub(super) const TORN: Refusal = Refusal::Because("no Parquet footer: half written or damaged");

/// Why a file of a directory or glob is left out, as far as name and size tell.
pub(super) fn refuse(path: &Path, bytes: u64) -> Refusal {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let extension = extension(path);
    let known = |list: &[&str]| list.contains(&extension.as_str());
    let packed = known(&PACKED_EXTENSIONS) && name.split('.').any(|part| TEXT_EXTENSIONS.contains(&part));
    if hidden(path) || name.starts_with('_') {
        Refusal::Foreign("hidden by its name")
    } else if known(&["tmp", "partial"]) {
        Refusal::Because("unfinished file")
    } else if packed {
        Refusal::Because("compressed; unpack it first")
    } else if !known(&TEXT_EXTENSIONS) && !known(&PARQUET_EXTENSIONS) {
        Refusal::Foreign("neither CSV nor Parquet by its name")
    } else if bytes == 0 {
        Refusal::Because("empty file")
    } else {
        Refusal::None
    }
}

/// Whether a file that should be Parquet by its name is not, or not all of it.
pub(super) fn is_torn(path: &Path) -> Result<bool, IngestError> {
    let is_parquet = PARQUET_EXTENSIONS.contains(&extension(path).as_str());
    Ok(is_parquet && !has_footer(path).map_err(|error| io_error(path, &error))?)
}

/// The file of a path; its `key=value` folders count below `root`.
pub(super) fn source_file(path: &Path, root: &Path, named: bool) -> Result<SourceFile, IngestError> {
    let name = path.display().to_string();
    if named {
        check_packed(path, &name)?;
    }
    let metadata = std::fs::metadata(path).map_err(|error| io_error(path, &error))?;
    described(path.to_owned(), name, hive::below(path, root), Seen::of(&metadata), named)
}

/// A file that was named must not be compressed.
pub(super) fn check_packed(path: &Path, name: &str) -> Result<(), IngestError> {
    match PACKED_EXTENSIONS.contains(&extension(path).as_str()) {
        true => Err(data(format!("{name}: compressed files are not read; unpack it first"))),
        false => Ok(()),
    }
}

/// A file with its format; `spelt` is the path whose extension and folders count, `path` where the content is.
pub(super) fn described(
    path: PathBuf,
    name: String,
    spelt: &Path,
    seen: Seen,
    named: bool,
) -> Result<SourceFile, IngestError> {
    let extension = extension(spelt);
    if seen.bytes == 0 {
        let problem = format!("{name}: the file is empty; write a header line and at least one row");
        return Err(data(problem).unfinished());
    }
    let format = if extension == "tsv" {
        Format::Csv(Some(b'\t'))
    } else if TEXT_EXTENSIONS.contains(&extension.as_str()) {
        Format::Csv(None)
    } else if PARQUET_EXTENSIONS.contains(&extension.as_str()) || has_magic(&path) {
        Format::Parquet
    } else {
        Format::Csv(None)
    };
    if format == Format::Parquet && !has_footer(&path).map_err(|error| io_error(&path, &error))? {
        let problem = format!("{name}: no Parquet footer: half written or damaged; write the file again");
        return Err(data(problem).unfinished());
    }
    Ok(SourceFile { path, name, format, hive: hive::columns(spelt), named, seen })
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether other programs set a folder aside by its name: `.git`, Spark's `_temporary`, Delta's `_delta_log`. A Hive key
/// may begin with `_`.
pub(super) fn set_aside(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn has_magic(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"PAR1"
}

/// Whether the file begins and ends as Parquet does, with room for the footer that it declares.
pub(super) fn has_footer(path: &Path) -> io::Result<bool> {
    footer(&mut File::open(path)?).map(|footer| footer.is_some())
}

/// The footer of a Parquet file, from its declared length; `None` if the file does not begin and end as Parquet does.
pub(super) fn footer(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    if length < 12 {
        return Ok(None);
    }
    let (mut head, mut tail) = ([0; 4], [0; 8]);
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let size = u32::from_le_bytes([a, b, c, d]);
    if head != *b"PAR1" || magic != *b"PAR1" || u64::from(size) + 12 > length {
        return Ok(None);
    }
    let mut footer = vec![0; size as usize];
    file.seek(SeekFrom::End(-8 - i64::from(size)))?;
    file.read_exact(&mut footer)?;
    Ok(Some(footer))
}

/// The refusal that an IO error deserves.
pub(super) fn io_error(path: &Path, error: &io::Error) -> IngestError {
    let name = path.display();
    let (kind, problem) = match error.kind() {
        io::ErrorKind::NotFound => {
            (IngestErrorKind::InputMissing, format!("{name}: no such file or directory{}", similar(path)))
        }
        io::ErrorKind::PermissionDenied => {
            (IngestErrorKind::Permission, format!("{name}: reading is not allowed; check its permissions"))
        }
        _ => (IngestErrorKind::Io, format!("{name}: reading failed: {error}; check the disk and run again")),
    };
    IngestError::new(kind, vec![problem])
}

/// `; did you mean …?` with the names in the same folder that resemble a missing one.
pub(super) fn similar(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wanted = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let score = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        strsim::jaro_winkler(&name, &wanted)
    };
    let mut scored: Vec<(f64, PathBuf)> =
        names.map(|path| (score(&path), path)).filter(|s| s.0 > 0.8).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let shown: Vec<String> = scored.iter().take(3).map(|(_, path)| path.display().to_string()).collect();
    if shown.is_empty() { String::new() } else { format!("; did you mean {}?", shown.join(" or ")) }
}

pub(super) fn data(problem: String) -> IngestError {
    IngestError::new(IngestErrorKind::Data, vec![problem])
}

pub(super) fn usage(problem: String) -> IngestError {
    IngestError::new(IngestErrorKind::Usage, vec![problem])
}
