// A film plays until its button is pressed, and then shows its first picture. It stands still from
// the start where the reader's system asks for less motion.
document.addEventListener("DOMContentLoaded", () => {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const film of document.querySelectorAll("img[data-still]")) {
    const moving = film.getAttribute("src");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "film";
    let plays = !calm;
    const show = () => {
      film.src = plays ? moving : film.dataset.still;
      button.textContent = plays ? "❚❚ Pause" : "▶ Play";
    };
    button.addEventListener("click", () => {
      plays = !plays;
      show();
    });
    film.after(button);
    show();
  }
});
