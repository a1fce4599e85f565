/** The whole params pane. Its bundle is fetched once for a page, however many of them are in it. */
export { default } from "../params/pane";
