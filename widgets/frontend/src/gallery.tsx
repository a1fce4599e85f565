import { latePane } from "./core/late";

export default latePane("gallery", "Gallery", true);
