//! Which names a request may call this machine by. A page of another site can have its name point here after it was loaded
//! (DNS rebinding), and would read whatever the loopback address tells: its requests still carry that name.

use crate::serve::App;
use crate::serve::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

/// Lets a request through that calls this machine by an address, `localhost` or a name that the config knows.
pub(super) async fn known(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(hosts) = app.access.hosts() else { return Ok(next.run(request).await) };
    let unknown = called(&request).into_iter().find(|host| !is_known(host, hosts));
    match unknown {
        None => Ok(next.run(request).await),
        Some(host) => {
            let detail = format!(
                "this daemon is not called '{host}'; if it is, write hosts = [\"{}\"] under [http]",
                name(&host)
            );
            Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail))
        }
    }
}

/// What the request calls this machine. Nothing where it names none: no browser sends such a request.
fn called(request: &Request) -> Vec<String> {
    let headers = request.headers().get_all(header::HOST).iter();
    let headers = headers.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    headers.chain(Uri::host(request.uri()).map(str::to_owned)).collect()
}

/// Whether a Host header, maybe with a port, may be answered.
fn is_known(host: &str, hosts: &[String]) -> bool {
    let name = name(host);
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
    bare.parse::<IpAddr>().is_ok() || name == "localhost" || hosts.contains(&name)
}

/// A Host header without port and final dot, in lower case.
fn name(host: &str) -> String {
    let host = host.trim();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_names_of_the_config_are_known() {
        let hosts = ["forecasts.example.org".to_owned()];
        let known = [
            "localhost",
            "LOCALHOST:8091",
            "localhost.",
            "127.0.0.1",
            "127.0.0.1:8091",
            "[::1]",
            "[::1]:8091",
            "::1",
            "10.0.0.7:80",
            "Forecasts.example.org:443",
        ];
        for host in known {
            assert!(is_known(host, &hosts), "{host}");
        }
        let others = [
            "evil.example.org",
            "evil.example.org:8091",
            "localhost.evil.example.org",
            "127.0.0.1.evil.example.org",
            "notlocalhost",
            "",
            ":8091",
            "127.0.0.1:8091@evil.example.org",
        ];
        for host in others {
            assert!(!is_known(host, &hosts), "{host}");
        }
    }
}
