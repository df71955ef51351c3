//! The page of a backtest: one file that opens offline, whatever the ids are.

use super::program::{Place, dataset, weekly};

/// Marks that would load something.
const LOADING: [&str; 9] =
    ["http:", "https:", "src=", "href", "url(", "@import", "<script", "<link", "<iframe"];

#[test]
fn the_page_holds_everything_and_loads_nothing() {
    let place = Place::new();
    let input = dataset("air_passengers.csv");
    let run = place
        .run(&format!("backtest {input} -H 12 --windows 3 --models ridge,naive --report report.html"))
        .expect(0);
    assert!(run.stdout.contains("Report    report.html"), "{}", run.stdout);
    let page = String::from_utf8(place.read("report.html")).unwrap();
    for words in [
        "Leaderboard",
        "What the intervals held",
        "Where the errors are",
        "Single series",
        "Setting",
        "Do it again",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("than seasonal naive") && page.contains("s4cast backtest"), "{page}");
    // Loss by step, loss by cutoff, the series.
    assert_eq!(page.matches("<svg").count(), 3);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(page.matches("<figcaption>").count(), 3);
    assert!(page.matches("<title>").count() == 4 && page.matches("<caption>").count() >= 3);
    LOADING.iter().for_each(|mark| assert!(!page.contains(mark), "{mark}"));
    let run =
        place.run(&format!("backtest {input} -H 12 --models naive --report r.html --json")).expect(0).json();
    assert_eq!(run["report"], "r.html");
}

#[test]
fn ids_are_words_and_not_marks() {
    let place = Place::new();
    let id = "<img src=x onerror=alert(1)>";
    let rows: String = ["plain", id]
        .iter()
        .flat_map(|id| weekly(60).lines().skip(1).map(|line| format!("{id},{line}\n")).collect::<Vec<_>>())
        .collect();
    place.put("in.csv", format!("unique_id,ds,y\n{rows}"));
    place
        .run("backtest in.csv --id unique_id -H 7 --windows 2 --models naive --segment unique_id --report r.html -q")
        .expect(0);
    let page = String::from_utf8(place.read("r.html")).unwrap();
    assert!(!page.contains("<img") && page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(page.contains("By segment"));
}

#[test]
fn many_series_make_no_large_page() {
    let place = Place::new();
    let values: Vec<String> = weekly(40).lines().skip(1).map(String::from).collect();
    let rows: String =
        (0..3_000).flat_map(|id| values.iter().map(move |line| format!("s{id:05},{line}\n"))).collect();
    place.put("in.csv", format!("unique_id,ds,y\n{rows}"));
    place.run("backtest in.csv -H 3 --windows 8 --models naive --report r.html -q").expect(0);
    let page = String::from_utf8(place.read("r.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 14);
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn what_is_wrong_is_said_before_anything_is_fitted() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let run = place.run("backtest in.csv -H 7 --report r.pdf").expect(2);
    assert!(run.stderr.contains("'r.pdf' is no HTML file"), "{}", run.stderr);
    place.run("backtest in.csv -H 7 --report no/r.html").expect(73);
    assert_eq!(place.names(), ["in.csv"]);
}
