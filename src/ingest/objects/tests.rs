use super::*;
use crate::store::Store;

fn address(text: &str) -> Address {
    Address::parse(text).expect("scheme").expect("address")
}
