//! Bytes to record batches. Lengths that a stream claims are held against its bytes before memory is reserved by them.

use super::NAME;
use crate::ingest::files::data;
use crate::ingest::spec::{IngestError, IngestErrorKind};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{CompressionType, Message, root_as_message};
use arrow_schema::SchemaRef;
use std::io::{self, Read};
use std::panic::AssertUnwindSafe;

/// What begins every message but those of the oldest writers.
const MARKER: [u8; 4] = [0xff; 4];

/// Bytes that describe a message, at most: ten thousand columns take less.
const HEAD_BYTES_MAX: usize = 16 << 20;

/// Bytes of a batch, at most.
const BODY_BYTES_MAX: i64 = 4 << 30;

/// Bytes that are reserved before they have come.
const AHEAD_BYTES: usize = 4 << 20;

/// What a compressed batch may become: so many bytes, and so many for each of its own.
const UNPACKED_FREE: u64 = 32 << 20;
const UNPACKED_PER_BYTE: u64 = 1000;

/// The record batches of a stream.
pub(super) struct Messages<R> {
    input: R,
    decoder: StreamDecoder,
    schema: SchemaRef,
    /// Whether the decoder was given the first byte of the next message, which it needs to see that one without a body is over.
    is_begun: bool,
    has_ended: bool,
}

impl<R: Read> Messages<R> {
    /// Reads up to the schema.
    pub(super) fn open(input: R) -> Result<Messages<R>, IngestError> {
        let (decoder, schema) = (StreamDecoder::new(), SchemaRef::new(arrow_schema::Schema::empty()));
        let mut messages = Messages { input, decoder, schema, is_begun: false, has_ended: false };
        let first = messages.message(true)?;
        let schema = messages.decoder.schema();
        match (first, schema) {
            (Some(None), Some(schema)) => Ok(Messages { schema, ..messages }),
            (None, _) => Err(data(format!(
                "{NAME}: not a single byte; even a stream without rows begins with its schema"
            ))),
            _ => Err(damaged("it does not begin with a schema")),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next batch; `None` at the end of the stream.
    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>, IngestError> {
        loop {
            match self.message(false)? {
                None => return Ok(None),
                Some(None) => {}
                Some(Some(batch)) => return Ok(Some(batch)),
            }
        }
    }

    /// Reads a message: the batch that it holds, if it holds one; `None` at the end of the stream.
    fn message(&mut self, is_first: bool) -> Result<Option<Option<RecordBatch>>, IngestError> {
        if self.has_ended {
            return Ok(None);
        }
        let Some(length) = self.head_length(is_first)? else {
            self.has_ended = true;
            return Ok(None);
        };
        let mut head = Vec::new();
        self.fill(&mut head, length)?;
        let length = self.body_length(&head)?;
        let mut body = Vec::new();
        self.fill(&mut body, length)?;
        let guarded = std::panic::catch_unwind(AssertUnwindSafe(|| self.decode(head, body)));
        // The bytes may be anything, and the reader is not ours.
        guarded.unwrap_or_else(|_| Err(damaged("the reader gave up"))).map(Some)
    }

    /// Length of what describes the next message; `None` where the stream ends, with or without the mark of the end.
    fn head_length(&mut self, is_first: bool) -> Result<Option<usize>, IngestError> {
        let mut word = [0; 4];
        match self.word(&mut word)? {
            0 => return Ok(None),
            4 => {}
            _ => return Err(cut_off()),
        }
        if is_first && let Some(other) = other_format(word) {
            return Err(data(format!("{NAME}: {other}; write an Arrow IPC stream")));
        }
        if word == MARKER && self.word(&mut word)? < 4 {
            return Err(cut_off());
        }
        match u32::from_le_bytes(word) as usize {
            0 => Ok(None),
            length @ 1..=HEAD_BYTES_MAX => Ok(Some(length)),
            length => {
                let problem =
                    format!("a message claims a head of {length} bytes, at most {HEAD_BYTES_MAX} are read");
                Err(damaged(&problem))
            }
        }
    }

    /// Length of the body that goes with a head.
    fn body_length(&self, head: &[u8]) -> Result<usize, IngestError> {
        let message = root_as_message(head).map_err(|error| damaged(&error.to_string()))?;
        match message.bodyLength() {
            length @ 0..=BODY_BYTES_MAX => Ok(length as usize),
            length => Err(data(format!(
                "{NAME}: a batch claims {length} bytes, at most {BODY_BYTES_MAX} are read; write smaller batches"
            ))),
        }
    }

    fn decode(&mut self, head: Vec<u8>, body: Vec<u8>) -> Result<Option<RecordBatch>, IngestError> {
        let message = root_as_message(&head).map_err(|error| damaged(&error.to_string()))?;
        unpacks(&message, &body)?;
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
        let marker = if self.is_begun { &MARKER[1..] } else { &MARKER };
        self.is_begun = body.is_empty();
        let body = if self.is_begun { MARKER[..1].to_vec() } else { body };
        let mut found = None;
        // Each of its own, so that the body need not be copied to lie as it should.
        for bytes in [[marker, &length].concat(), head, body] {
            let mut buffer = bytes.into();
            loop {
                let batch = self.decoder.decode(&mut buffer).map_err(|error| damaged(&error.to_string()))?;
                found = found.or(batch);
                if buffer.is_empty() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Reads up to four bytes; how many there were.
    fn word(&mut self, word: &mut [u8; 4]) -> Result<usize, IngestError> {
        let mut read = 0;
        while read < word.len() {
            match self.input.read(&mut word[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unread(&error)),
            }
        }
        Ok(read)
    }

    /// Reads so many bytes; memory grows with those that come, not with those that are claimed.
    fn fill(&mut self, bytes: &mut Vec<u8>, length: usize) -> Result<(), IngestError> {
        bytes.reserve_exact(length.min(AHEAD_BYTES));
        let read =
            self.input.by_ref().take(length as u64).read_to_end(bytes).map_err(|error| unread(&error))?;
        if read < length { Err(cut_off()) } else { Ok(()) }
    }
}

impl<R> std::fmt::Debug for Messages<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Whether the compressed parts of a batch become what so many bytes may become.
fn unpacks(message: &Message<'_>, body: &[u8]) -> Result<(), IngestError> {
    let of_dictionary = || message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let Some(batch) = message.header_as_record_batch().or_else(of_dictionary) else { return Ok(()) };
    let Some(compression) = batch.compression() else { return Ok(()) };
    if !matches!(compression.codec(), CompressionType::LZ4_FRAME | CompressionType::ZSTD) {
        return Err(data(format!("{NAME}: compressed in another way than lz4 or zstd; write it plain")));
    }
    let allowed = UNPACKED_FREE.saturating_add(UNPACKED_PER_BYTE.saturating_mul(body.len() as u64));
    let mut claimed = 0u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let from = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
        let Some(part) =
            usize::try_from(buffer.length()).ok().and_then(|length| body.get(from..)?.get(..length))
        else {
            return Err(damaged("a column lies outside of its batch"));
        };
        // Where nothing was gained it is not packed, and says -1.
        let length = part.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        claimed = claimed.saturating_add(u64::try_from(length).unwrap_or(part.len() as u64));
    }
    if claimed <= allowed {
        return Ok(());
    }
    Err(data(format!(
        "{NAME}: a batch of {} bytes claims to hold {claimed}; write smaller batches, or without compression",
        body.len()
    )))
}

/// What begins with these bytes, if it is known and no stream.
fn other_format(head: [u8; 4]) -> Option<&'static str> {
    match &head {
        b"ARRO" => Some("an Arrow IPC file, which is not a stream"),
        b"PAR1" => Some("a Parquet file"),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | [b'P', b'K', 3, 4] => Some("compressed as a whole"),
        [b'{', ..] | [b'[', b'{', ..] => Some("JSON"),
        text if text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => Some("text, perhaps CSV"),
        _ => None,
    }
}

fn damaged(problem: &str) -> IngestError {
    let problem = problem.lines().next().unwrap_or_default();
    data(format!(
        "{NAME}: damaged or unusual Arrow IPC: {problem}; write the stream again, columns of unusual types cast"
    ))
}

fn cut_off() -> IngestError {
    data(format!("{NAME}: the stream ends within a message; what writes it may have failed"))
}

fn unread(error: &io::Error) -> IngestError {
    IngestError::new(IngestErrorKind::Io, vec![format!("{NAME}: reading failed: {error}")])
}
