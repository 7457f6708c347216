//! Whether the file's tables, indexes, views and triggers are the ones that orgseal creates. A planted trigger or view changes what
//! is written or read, and no entry shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::schema;

/// Statistics that `ANALYZE` of any SQLite tool leaves: they change no answer.
const STATISTICS: [&str; 2] = ["sqlite_stat1", "sqlite_stat4"];

/// Switches off what the file itself could make SQLite do: triggers, views, functions called by the schema, a rewritten schema.
/// Views of a connection's own (TEMP) still work.
pub(super) fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    Ok(())
}

/// What differs from the schema of this version; `None`: nothing.
pub(super) fn difference(connection: &Connection, version: i64) -> rusqlite::Result<Option<String>> {
    let known = known(version)?;
    let found = objects(connection)?;
    let strange = found.iter().find(|(name, _)| !known.contains_key(*name));
    if let Some(((kind, name), (table, _))) = strange {
        let on = if kind == "trigger" { format!(" on table {table}") } else { String::new() };
        return Ok(Some(format!("it has the {kind} {name}{on}, which orgseal does not create")));
    }
    for ((kind, name), what) in known.iter() {
        match found.get(&(kind.clone(), name.clone())) {
            None => return Ok(Some(format!("its {kind} {name} is missing"))),
            Some(other) if other != what => return Ok(Some(format!("its {kind} {name} is not as orgseal creates it"))),
            Some(_) => {}
        }
    }
    Ok(None)
}

/// What orgseal creates. A run opens the ledger many times, so today's is computed once.
fn known(version: i64) -> rusqlite::Result<Arc<Objects>> {
    static CURRENT: OnceLock<Arc<Objects>> = OnceLock::new();
    if let Some(known) = CURRENT.get().filter(|_| version == schema::VERSION) {
        return Ok(Arc::clone(known));
    }
    let memory = Connection::open_in_memory()?;
    schema::create(&memory, version)?;
    let known = Arc::new(objects(&memory)?);
    if version == schema::VERSION {
        CURRENT.get_or_init(|| Arc::clone(&known));
    }
    Ok(known)
}

type Objects = BTreeMap<(String, String), (String, String)>;

/// Kind and name, with the table and the statement that created it.
fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    let mut statement = connection.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| {
        let sql: String = row.get(3)?;
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: (String, String) = (row.get(0)?, row.get(1)?);
        Ok((name, (row.get::<_, String>(2)?, sql)))
    })?;
    rows.filter(|row| !matches!(row, Ok(((_, name), _)) if STATISTICS.contains(&name.as_str()))).collect()
}
