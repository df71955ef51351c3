//! The dashboard: files within the program, so that it needs no other server and no network.

use crate::serve::problem::Problem;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file of the dashboard.
struct Asset {
    name: &'static str,
    /// Media type.
    kind: &'static str,
    bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

/// A file in the folder `dashboard`.
macro_rules! asset {
    ($name:literal, $kind:expr) => {
        Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("dashboard/", $name)) }
    };
}

/// All files, the page first.
static ASSETS: &[Asset] = &[
    asset!("index.html", HTML),
    asset!("api.js", SCRIPT),
    asset!("app.css", STYLE),
    asset!("axes.js", SCRIPT),
    asset!("change.js", SCRIPT),
    asset!("chart.js", SCRIPT),
    asset!("chartdata.js", SCRIPT),
    asset!("data_table.js", SCRIPT),
    asset!("detail.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("favicon.svg", PICTURE),
    asset!("format.js", SCRIPT),
    asset!("health.js", SCRIPT),
    asset!("legend.js", SCRIPT),
    asset!("loss_chart.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("outcome.js", SCRIPT),
    asset!("page_backtests.js", SCRIPT),
    asset!("page_models.js", SCRIPT),
    asset!("page_overview.js", SCRIPT),
    asset!("page_run.js", SCRIPT),
    asset!("page_runs.js", SCRIPT),
    asset!("page_series.js", SCRIPT),
    asset!("page_unknown.js", SCRIPT),
    asset!("palette.js", SCRIPT),
    asset!("parts.css", STYLE),
    asset!("parts.js", SCRIPT),
    asset!("router.js", SCRIPT),
    asset!("search.js", SCRIPT),
    asset!("series.css", STYLE),
    asset!("series_view.js", SCRIPT),
    asset!("spark.js", SCRIPT),
    asset!("state.js", SCRIPT),
    asset!("theme.js", SCRIPT),
    asset!("ticks.js", SCRIPT),
    asset!("time.js", SCRIPT),
    asset!("token.js", SCRIPT),
    asset!("uPlot.LICENSE", TEXT),
    asset!("uPlot.esm.js", SCRIPT),
    asset!("uPlot.min.css", STYLE),
    asset!("unlock.js", SCRIPT),
    asset!("versions.js", SCRIPT),
    asset!("vintages.js", SCRIPT),
    asset!("zoom.js", SCRIPT),
];

/// Name of each version of each file: the SHA-256 of its bytes, in quotes.
static TAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let tag = |asset: &Asset| HeaderValue::from_str(&format!("\"{:x}\"", Sha256::digest(asset.bytes)));
    ASSETS.iter().map(|asset| tag(asset).unwrap_or(HeaderValue::from_static("\"\""))).collect()
});

/// What a page may load: nothing but what this program serves, and no script or style that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn page(headers: HeaderMap) -> Result<Response, Problem> {
    answer("index.html", &headers)
}

/// A file of the page.
pub(super) async fn asset(
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    answer(&name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    let place = place.ok_or_else(|| Problem::not_found(format!("the dashboard has no file '{name}'")))?;
    let (asset, tag) = (&ASSETS[place], TAGS[place].clone());
    let fixed: [(HeaderName, HeaderValue); 2] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    let has_it = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known, &tag));
    let mut response = match has_it {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response(),
    };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().extend(fixed);
    Ok(response)
}

/// Whether a list of versions has this one; a proxy that compresses may have marked it as weak.
fn names(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    fn folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/serve/dashboard")
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let entries = std::fs::read_dir(folder()).expect("folder");
        let there: BTreeSet<String> =
            entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
        let served: BTreeSet<String> = ASSETS.iter().map(|asset| asset.name.to_owned()).collect();
        assert_eq!(there, served);
        assert_eq!(served.len(), ASSETS.len(), "each of them once");
    }

    #[test]
    fn the_page_holds_no_script_and_no_style_of_its_own() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == HTML) {
            let text = std::str::from_utf8(asset.bytes).expect("text");
            for (place, _) in text.match_indices("<script") {
                let tag = text[place..].split('>').next().unwrap_or_default();
                assert!(tag.contains("src="), "{tag}");
                let rest = &text[place + tag.len()..];
                assert!(rest.starts_with("></script>"), "{tag} has a body");
            }
            for forbidden in
                ["<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://"]
            {
                assert!(!text.contains(forbidden), "{}: {forbidden}", asset.name);
            }
        }
    }

    #[test]
    fn a_version_is_found_in_a_list() {
        let tag = HeaderValue::from_static("\"ab\"");
        for known in ["\"ab\"", "W/\"ab\"", "\"x\", \"ab\"", "*"] {
            assert!(names(&HeaderValue::from_static(known), &tag), "{known}");
        }
        for known in ["\"a\"", "ab", ""] {
            assert!(!names(&HeaderValue::from_static(known), &tag), "{known}");
        }
    }
}
