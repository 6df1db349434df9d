//! What the data does. Knows no AWS, no terminal, no workflow engine.
