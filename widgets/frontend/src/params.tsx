import { latePane } from "./core/late";

export default latePane("params", "Params");
