//! Changes to good inputs: bits, lengths, lines, numbers, words that have broken readers before.

/// A small generator (splitmix64), so that a case is a seed, a reader and a number.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, reader: u64, case: u64) -> Dice {
        let mut dice = Dice(
            seed ^ reader.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ case.wrapping_mul(0xa076_1d64_78bd_642f),
        );
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Mostly small, sometimes as large as `most`.
    pub fn size(&mut self, most: usize) -> usize {
        let bits = self.below(usize::BITS as usize - most.max(1).leading_zeros() as usize + 1);
        self.below((1usize << bits).min(most + 1))
    }

    /// An integer that lies near a limit of some type, or is small.
    pub fn integer(&mut self) -> i64 {
        let limits =
            [0, 1, 2, 127, 255, 256, 32_767, 65_535, 1 << 20, 1 << 24, i64::from(i32::MAX), 1 << 31, 1 << 32];
        let near = match self.below(6) {
            0 => i64::MAX,
            1 => i64::MIN,
            2 => 1i64 << self.below(63),
            _ => limits[self.below(limits.len())],
        };
        let near = near.wrapping_add(self.below(5) as i64 - 2);
        if self.one_in(3) { near.wrapping_neg() } else { near }
    }
}

/// Numbers that are none, that are too long, that end a type.
const NUMBERS: [&str; 26] = [
    "0",
    "-0",
    "1e308",
    "-1e308",
    "1e309",
    "4.9e-324",
    "nan",
    "-NaN",
    "inf",
    "-Infinity",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "2147483648",
    "1e1000000000",
    "0.00000000000000000000000000000000000000000000000001",
    "1_000",
    "1,5",
    "0x10",
    "+5",
    "--5",
    "99999999999999999999999999",
    "253402300800",
    "-62135596801",
    "1e-5",
];

/// Bytes that are no text, end it, or hide in it.
const BYTES: [&[u8]; 14] = [
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf0\x9f",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\"",
    b"\"\"",
    b"\t",
    "\u{2028}".as_bytes(),
    "\u{202e}".as_bytes(),
];

/// Most bytes of a mutated input.
pub const BYTES_MAX: usize = 192 << 10;

/// A good input changed in a few places. `words` are what the format itself is made of, `others` further good inputs.
pub fn text(dice: &mut Dice, good: &[u8], words: &[&str], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.size(7) {
        change(dice, &mut bytes, words, others);
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, words: &[&str], others: &[Vec<u8>]) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(17) {
        0 => flip(dice, bytes),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(range(dice, bytes.len()))),
        3 => {
            let again = bytes[range(dice, bytes.len())].to_vec();
            insert(bytes, at, &again);
        }
        4 => {
            let other = &others[dice.below(others.len())];
            let part = other[range(dice, other.len())].to_vec();
            insert(bytes, at, &part);
        }
        5 | 6 => insert(bytes, at, dice.pick(words).as_bytes()),
        7 | 8 => number(dice, bytes, words),
        9 => insert(bytes, at, dice.pick(&BYTES)),
        10 | 11 => lines(dice, bytes),
        12 => {
            // The same again and again, as deep or as long as it gets.
            let word = dice.pick(words).repeat(1 + dice.size(4096));
            insert(bytes, at, word.as_bytes());
        }
        13 => {
            let byte = (dice.next() & 0x7f) as u8;
            let many = vec![byte; 1 + dice.size(64 << 10)];
            insert(bytes, at, &many);
        }
        14 => field(dice, bytes, words),
        15 => {
            let (one, two) = (dice.below(bytes.len()), dice.below(bytes.len()));
            if !bytes.is_empty() {
                bytes.swap(one, two);
            }
        }
        _ => {
            let noise: Vec<u8> = (0..dice.size(64)).map(|_| dice.next() as u8).collect();
            insert(bytes, at, &noise);
        }
    }
}

/// Flips a bit.
pub fn flip(dice: &mut Dice, bytes: &mut [u8]) {
    let at = dice.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

/// A stretch of so many bytes.
pub fn range(dice: &mut Dice, length: usize) -> std::ops::Range<usize> {
    let from = dice.below(length + 1);
    let most = length - from;
    from..from + dice.size(most).min(most)
}

pub fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    let at = at.min(bytes.len());
    bytes.splice(at..at, what.iter().copied());
}

/// Puts another number, or a word, in the place of one.
fn number(dice: &mut Dice, bytes: &mut Vec<u8>, words: &[&str]) {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|&at| is_part(&bytes[at]) && (at == 0 || !is_part(&bytes[at - 1]))).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[dice.below(starts.len())];
    let end = start + bytes[start..].iter().take_while(|byte| is_part(byte)).count();
    let new = match dice.below(4) {
        0 => dice.pick(words).to_owned(),
        1 => dice.integer().to_string(),
        2 => "9".repeat(1 + dice.size(400)),
        _ => dice.pick(&NUMBERS).to_owned(),
    };
    bytes.splice(start..end, new.bytes());
}

/// Puts something else in the place of what stands between two separators.
fn field(dice: &mut Dice, bytes: &mut Vec<u8>, words: &[&str]) {
    let ends = |byte: &u8| matches!(byte, b',' | b';' | b':' | b'=' | b'\n' | b' ' | b'\t');
    let starts: Vec<usize> = (0..bytes.len()).filter(|&at| at == 0 || ends(&bytes[at - 1])).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[dice.below(starts.len())];
    let end = start + bytes[start..].iter().take_while(|byte| !ends(byte)).count();
    let new = match dice.below(3) {
        0 => String::new(),
        1 => dice.pick(&NUMBERS).to_owned(),
        _ => dice.pick(words).to_owned(),
    };
    bytes.splice(start..end, new.bytes());
}

/// Takes a line away, moves it, or repeats it.
fn lines(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (one, two) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(4) {
        0 => drop(lines.remove(one)),
        1 => lines.swap(one, two),
        2 => {
            let line = lines[one].clone();
            lines.insert(two, line);
        }
        _ => {
            let line = lines[one].clone();
            let count = dice.size(4096).min(BYTES_MAX / line.len().max(1));
            lines.splice(one..one, std::iter::repeat_n(line, count));
        }
    }
    *bytes = lines.concat();
}
