//! Model versions: immutable, atomic, verified; which one serves, and the way back.
