/** The whole query pane. Its bundle is fetched once for a page, however many of them are in it. */
export { default } from "../query/pane";
