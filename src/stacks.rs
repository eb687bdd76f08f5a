#![doc = include_str!("docs/stacks.md")]
