// A formula that is wider than the page can be moved to the side, with the keyboard too.
document.addEventListener("DOMContentLoaded", async () => {
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
  }
});
