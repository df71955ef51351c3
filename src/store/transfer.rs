//! Whole files to and from stores, a stretch at a time.

use super::client::{Client, Pause, generic};
use super::failure;
use super::scratch::Hidden;
use futures_util::StreamExt;
use object_store::path::Path as Key;
use object_store::{Error, GetOptions, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Bytes that are asked for, or sent, at a time.
const STRETCH: u64 = 8 << 20;

/// Stretches on their way at a time.
const AT_A_TIME: usize = 4;

/// On which side a transfer failed.
pub(super) enum Failed {
    There(Error),
    Here(io::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::There(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Here(error)
    }
}

/// Copies an object to a file that appears whole; `None` where there is none. One that changes on the way is begun again.
pub(super) fn download(client: &Client, key: &Key, to: &Path) -> Result<Option<ObjectMeta>, Failed> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut pause = Pause::begin(client);
    loop {
        let partial = tempfile::Builder::new().prefix(".s4cast-").suffix(".partial").tempfile_in(folder)?;
        let _hidden = Hidden::new(partial.path());
        let copied = match client.has_ranges {
            true => by_stretches(client, key, partial.as_file()),
            false => as_it_comes(client, key, partial.as_file()),
        };
        match copied {
            Ok(meta) => {
                partial.persist(to).map_err(|error| error.error)?;
                return Ok(Some(meta));
            }
            Err(Failed::There(Error::NotFound { .. })) => return Ok(None),
            Err(Failed::There(error)) if failure::passes(&error) && pause.wait() => {}
            Err(failed) => return Err(failed),
        }
    }
}

fn by_stretches(client: &Client, key: &Key, mut file: &File) -> Result<ObjectMeta, Failed> {
    let meta = client.ask(async |store| store.head(key).await)?;
    let starts = (0..meta.size).step_by(STRETCH as usize);
    let all: Vec<Range<u64>> = starts.map(|from| from..(from + STRETCH).min(meta.size)).collect();
    for some in all.chunks(AT_A_TIME) {
        let stretches = client.ask(async |store| {
            let one = |range: &Range<u64>| stretch(store, key, range.clone(), meta.e_tag.clone());
            futures_util::future::try_join_all(some.iter().map(one)).await
        })?;
        for (range, bytes) in some.iter().zip(&stretches) {
            if bytes.len() as u64 != range.end - range.start {
                return Err(generic("the object came shorter than it is").into());
            }
            file.write_all(bytes)?;
        }
    }
    Ok(meta)
}

/// A stretch of the object of that tag.
async fn stretch(
    store: &dyn ObjectStore,
    key: &Key,
    range: Range<u64>,
    etag: Option<String>,
) -> Result<Vec<u8>, Error> {
    let options = GetOptions { if_match: etag, range: Some(range.into()), ..GetOptions::default() };
    Ok(store.get_opts(key, options).await?.bytes().await?.to_vec())
}

/// From a server that sends whole files.
fn as_it_comes(client: &Client, key: &Key, mut file: &File) -> Result<ObjectMeta, Failed> {
    let found = client.ask(async |store| store.get(key).await)?;
    let (meta, mut stream) = (found.meta.clone(), found.into_stream());
    let mut bytes = 0;
    while let Some(block) = client.ask(async |_| stream.next().await.transpose())? {
        file.write_all(&block)?;
        bytes += block.len() as u64;
    }
    match bytes == meta.size {
        true => Ok(meta),
        false => Err(generic("the file came shorter than it is").into()),
    }
}

/// Puts a file in the place of an object, at once.
pub(super) fn upload(client: &Client, key: &Key, path: &Path) -> Result<(), Failed> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() <= STRETCH {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        client.ask(async |store| store.put(key, bytes.into()).await)?;
        return Ok(());
    }
    let mut upload = client.ask(async |store| store.put_multipart(key).await)?;
    let sent = send_parts(client, &mut file, upload.as_mut());
    let done = sent.and_then(|()| Ok(client.ask(async |_| upload.complete().await).map(drop)?));
    if done.is_err() {
        // Parts that stay are removed by the bucket's own rules; the first error is the one to tell.
        let _ = client.ask_for(Duration::from_secs(5), async |_| upload.abort().await);
    }
    done
}

/// Sends a file in parts, some at a time.
fn send_parts(client: &Client, file: &mut File, upload: &mut dyn MultipartUpload) -> Result<(), Failed> {
    loop {
        let mut parts = Vec::new();
        while parts.len() < AT_A_TIME {
            let mut block = vec![0; STRETCH as usize];
            let bytes = fill(file, &mut block)?;
            block.truncate(bytes);
            if bytes == 0 {
                break;
            }
            parts.push(upload.put_part(block.into()));
        }
        if parts.is_empty() {
            return Ok(());
        }
        client.ask(async |_| futures_util::future::try_join_all(parts).await)?;
    }
}

/// Reads until the block is full or the file ends.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut bytes = 0;
    while bytes < block.len() {
        match file.read(&mut block[bytes..])? {
            0 => break,
            more => bytes += more,
        }
    }
    Ok(bytes)
}
