//! Structures of the Thrift compact protocol, in which the footer and the page headers of Parquet are written: read into a
//! tree, changed, written again. What is written has right lengths, so that the forged numbers get past the first checks.

use super::mutate::Dice;

/// A value; structures hold (field number, type, value).
#[derive(Clone, Debug)]
pub enum Node {
    /// Truth in a field header (types 1 and 2).
    Told,
    Byte(u8),
    /// As written, zigzag.
    Integer(u64),
    Double([u8; 8]),
    Bytes(Vec<u8>),
    List(u8, Vec<Node>),
    Structure(Vec<(i64, u8, Node)>),
}

/// Reads a structure; gives it and how many bytes it has.
pub fn read(bytes: &[u8]) -> Option<(Node, usize)> {
    let mut at = 0;
    let node = structure(bytes, &mut at)?;
    Some((node, at))
}

fn byte(bytes: &[u8], at: &mut usize) -> Option<u8> {
    *at += 1;
    bytes.get(*at - 1).copied()
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes, at)?;
        value |= u64::from(next & 0x7f) << shift;
        if next < 0x80 {
            return Some(value);
        }
    }
    None
}

fn structure(bytes: &[u8], at: &mut usize) -> Option<Node> {
    let (mut fields, mut last) = (Vec::new(), 0);
    loop {
        let header = byte(bytes, at)?;
        if header == 0 {
            return Some(Node::Structure(fields));
        }
        last = match header >> 4 {
            0 => unzigzag(varint(bytes, at)?),
            delta => last + i64::from(delta),
        };
        let kind = header & 0x0f;
        let node = if kind <= 2 { Node::Told } else { value(bytes, at, kind)? };
        fields.push((last, kind, node));
    }
}

fn value(bytes: &[u8], at: &mut usize, kind: u8) -> Option<Node> {
    Some(match kind {
        1..=3 => Node::Byte(byte(bytes, at)?),
        4..=6 => Node::Integer(varint(bytes, at)?),
        7 => {
            *at += 8;
            Node::Double(bytes.get(*at - 8..*at)?.try_into().ok()?)
        }
        8 => {
            let length = varint(bytes, at)? as usize;
            *at += length;
            Node::Bytes(bytes.get(*at - length..*at)?.to_vec())
        }
        9 | 10 => {
            let header = byte(bytes, at)?;
            let size = if header >> 4 == 15 { varint(bytes, at)? } else { u64::from(header >> 4) };
            let items = (0..size).map(|_| value(bytes, at, header & 0x0f)).collect::<Option<Vec<Node>>>()?;
            Node::List(header & 0x0f, items)
        }
        12 => structure(bytes, at)?,
        _ => return None,
    })
}

pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

impl Node {
    /// Writes the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Node::Told => {}
            Node::Byte(byte) => out.push(*byte),
            Node::Integer(value) => write_varint(out, *value),
            Node::Double(bytes) => out.extend(bytes),
            Node::Bytes(bytes) => {
                write_varint(out, bytes.len() as u64);
                out.extend(bytes);
            }
            Node::List(kind, items) => {
                match u8::try_from(items.len()) {
                    Ok(size) if size < 15 => out.push(size << 4 | kind),
                    _ => {
                        out.push(0xf0 | kind);
                        write_varint(out, items.len() as u64);
                    }
                }
                items.iter().for_each(|item| item.write(out));
            }
            Node::Structure(fields) => {
                let mut last = 0;
                for (number, kind, node) in fields {
                    match number - last {
                        delta @ 1..=15 => out.push((delta as u8) << 4 | kind),
                        _ => {
                            out.push(*kind);
                            write_varint(out, zigzag(*number));
                        }
                    }
                    node.write(out);
                    last = *number;
                }
                out.push(0);
            }
        }
    }

    /// Calls `each` for this value and all inside it.
    pub fn visit(&mut self, each: &mut dyn FnMut(&mut Node)) {
        each(self);
        match self {
            Node::List(_, items) => items.iter_mut().for_each(|item| item.visit(each)),
            Node::Structure(fields) => fields.iter_mut().for_each(|(_, _, node)| node.visit(each)),
            _ => {}
        }
    }

    /// Changes one of the values.
    pub fn change(&mut self, dice: &mut Dice) {
        let mut count = 0;
        self.visit(&mut |_| count += 1);
        let (wanted, mut at) = (dice.below(count), 0);
        self.visit(&mut |node| {
            if at == wanted {
                node.change_here(dice);
            }
            at += 1;
        });
    }

    fn change_here(&mut self, dice: &mut Dice) {
        match self {
            Node::Told => {}
            Node::Byte(byte) => *byte = dice.next() as u8,
            Node::Integer(value) => {
                let own = unzigzag(*value);
                let new = match dice.below(4) {
                    0 => own.wrapping_add(dice.below(5) as i64 - 2),
                    1 => own.wrapping_mul(1 << dice.below(24)),
                    2 => dice.below(16) as i64,
                    _ => dice.integer(),
                };
                *value = zigzag(new);
            }
            Node::Double(bytes) => *bytes = dice.next().to_le_bytes(),
            Node::Bytes(bytes) => super::mutate::flip(dice, bytes),
            Node::List(_, items) => {
                let at = dice.below(items.len());
                match (dice.below(3), items.is_empty()) {
                    (0, false) => drop(items.remove(at)),
                    (1, false) => {
                        let copies = std::iter::repeat_n(items[at].clone(), 1 + dice.size(300));
                        items.splice(at..at, copies);
                    }
                    _ => items.reverse(),
                }
            }
            Node::Structure(fields) => {
                let at = dice.below(fields.len());
                match (dice.below(4), fields.is_empty()) {
                    (0, false) => drop(fields.remove(at)),
                    (1, false) => fields[at].0 = fields[at].0.wrapping_add(dice.below(5) as i64 - 2),
                    (2, false) if fields[at].1 <= 2 => fields[at].1 = 3 - fields[at].1,
                    _ => fields.push((dice.below(20) as i64, 6, Node::Integer(zigzag(dice.integer())))),
                }
            }
        }
    }

    /// Puts `new` wherever the integer `old` stands.
    pub fn replace(&mut self, old: i64, new: i64) {
        self.visit(&mut |node| match node {
            Node::Integer(value) if *value == zigzag(old) => *value = zigzag(new),
            _ => {}
        });
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
