//! The command line: arguments, commands, printing, exit codes.
