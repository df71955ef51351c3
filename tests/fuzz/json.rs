//! Changes to JSON documents that stay JSON: other numbers, names and lengths, parts taken away, repeated or put elsewhere, so
//! that an input gets past the parser.

use super::mutate::Dice;
use serde_json::{Map, Value};

/// Values and steps of one document that are visited at most: documents stay small.
const NODES_MAX: usize = 20_000;

/// Changes one of the values of a document. `words` are what its texts may be.
pub fn change(dice: &mut Dice, document: &mut Value, words: &[&str]) {
    let count = count(document).min(NODES_MAX);
    let (wanted, mut at) = (dice.below(count), 0);
    let other = nth(document, dice.below(count), &mut 0).cloned().unwrap_or(Value::Null);
    visit(document, &mut |value| {
        if at == wanted {
            change_here(dice, value, words, &other);
        }
        at += 1;
    });
}

/// Puts `new` wherever the integer `old` stands: one forged size that agrees with itself.
pub fn replace(document: &mut Value, old: u64, new: u64) {
    visit(document, &mut |value| {
        if value.as_u64() == Some(old) {
            *value = new.into();
        }
    });
}

/// Any of the integers of a document.
pub fn integer(dice: &mut Dice, document: &mut Value) -> Option<u64> {
    let mut all = Vec::new();
    visit(document, &mut |value| all.extend(value.as_u64()));
    (!all.is_empty()).then(|| all[dice.below(all.len())])
}

fn count(value: &Value) -> usize {
    1 + children(value).map(count).sum::<usize>()
}

fn nth<'a>(value: &'a Value, wanted: usize, at: &mut usize) -> Option<&'a Value> {
    if *at == wanted {
        return Some(value);
    }
    *at += 1;
    children(value).find_map(|child| nth(child, wanted, at))
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn visit(value: &mut Value, each: &mut dyn FnMut(&mut Value)) {
    each(value);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, each)),
        Value::Object(members) => members.values_mut().for_each(|member| visit(member, each)),
        _ => {}
    }
}

fn change_here(dice: &mut Dice, value: &mut Value, words: &[&str], other: &Value) {
    if dice.one_in(12) {
        *value = other.clone();
        return;
    }
    match value {
        Value::Null => *value = scalar(dice, words),
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(own) => *value = number(dice, own.as_f64().unwrap_or(0.0)),
        Value::String(text) => *text = string(dice, text, words),
        Value::Array(items) => array(dice, items, words, other),
        Value::Object(members) => object(dice, members, words, other),
    }
}

fn number(dice: &mut Dice, own: f64) -> Value {
    const EXTREMES: [f64; 12] =
        [0.0, -0.0, 1e308, -1e308, 4.9e-324, 1e-320, 0.5, 1.0, -1.0, 1e19, 1e15, 0.999_999_999];
    match dice.below(8) {
        0 => EXTREMES[dice.below(EXTREMES.len())].into(),
        1 => (own + dice.below(5) as f64 - 2.0).into(),
        2 => (own * 2f64.powi(dice.below(80) as i32 - 30)).into(),
        3 => u64::MAX.into(),
        4 => (dice.below(16) as u64).into(),
        5 => (own as i64).wrapping_add(dice.below(5) as i64 - 2).into(),
        _ => dice.integer().into(),
    }
}

fn scalar(dice: &mut Dice, words: &[&str]) -> Value {
    match dice.below(5) {
        0 => Value::Null,
        1 => dice.one_in(2).into(),
        2 => dice.pick(words).into(),
        _ => number(dice, 1.0),
    }
}

fn string(dice: &mut Dice, own: &str, words: &[&str]) -> String {
    let mut letters: Vec<char> = own.chars().collect();
    match dice.below(7) {
        0 => String::new(),
        1 => dice.pick(words).repeat(1 + dice.size(2000)),
        2 if !letters.is_empty() => {
            let at = dice.below(letters.len());
            letters[at] = char::from(dice.below(128) as u8);
            letters.into_iter().collect()
        }
        3 if !letters.is_empty() => {
            letters.remove(dice.below(letters.len()));
            letters.into_iter().collect()
        }
        4 => format!("{own}{}", dice.pick(words)),
        5 => dice
            .pick(&["\0", "../../x", "/etc/passwd", "\u{202e}", "é", "1e999", "a\nb", "2024-06-30T23:59:60Z"])
            .into(),
        _ => dice.pick(words).into(),
    }
}

fn array(dice: &mut Dice, items: &mut Vec<Value>, words: &[&str], other: &Value) {
    let at = dice.below(items.len());
    match (dice.below(6), items.is_empty()) {
        (0, false) => drop(items.remove(at)),
        (1, false) => {
            let copies = std::iter::repeat_n(items[at].clone(), 1 + dice.size(200));
            items.splice(at..at, copies);
        }
        (2, false) => items.reverse(),
        (3, _) => items.clear(),
        (4, _) => items.push(other.clone()),
        _ => items.push(scalar(dice, words)),
    }
}

fn object(dice: &mut Dice, members: &mut Map<String, Value>, words: &[&str], other: &Value) {
    let names: Vec<String> = members.keys().cloned().collect();
    let name = names.get(dice.below(names.len()));
    match (dice.below(4), name) {
        (0, Some(name)) => drop(members.remove(name)),
        (1, Some(name)) => {
            let value = members.remove(name).unwrap_or(Value::Null);
            members.insert(string(dice, name, words), value);
        }
        (2, Some(name)) => drop(members.insert(name.clone(), other.clone())),
        _ => drop(members.insert(dice.pick(words).into(), scalar(dice, words))),
    }
}
