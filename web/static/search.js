// A search shows a few words around what it found: of a page's text, without its buttons.
if (typeof Search !== "undefined") {
  const whole = Search.htmlToText;
  Search.htmlToText = (page, anchor) => {
    const read = new DOMParser().parseFromString(page, "text/html");
    const article = read.querySelector("article");
    if (!article) return whole(page, anchor);
    return whole(`<div role="main">${article.innerHTML}</div>`, anchor).replace(/\s+/g, " ");
  };
}
