// Opens the catalog at a path with the real code and closes it again, in a process of its own, for
// tests that kill it in that: open-catalog.ts PATH.
import { openSqliteCatalog } from "../../src/catalog/sqlite/sqlite-catalog.ts";

await openSqliteCatalog(process.argv[2] as string).close();
