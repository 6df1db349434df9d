//! Prints the answer to the statement in `ASK`; a tool for whoever works on the engine.
#[path = "support/cells.rs"]
mod cells;
#[tokio::test]
async fn ask() {
    let Ok(sql) = std::env::var("ASK") else {
        return;
    };
    for sql in sql.split(';') {
        println!("{sql}\n   {:?}", cells::answer(sql).await);
    }
}
