import { latePane } from "./core/late";

export default latePane("query", "Query");
