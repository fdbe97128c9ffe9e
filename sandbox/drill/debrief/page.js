"use strict";
// Steps through the timeline. Without it the page is read as it stands.
(() => {
  const steps = [...document.querySelectorAll(".steps li")];
  const charts = [...document.querySelectorAll("svg[data-low]")];
  const stepper = document.querySelector(".stepper");
  if (!steps.length || !stepper) return;
  let at = -1;
  const cursors = charts.map((chart) => {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const height = chart.viewBox.baseVal.height;
    line.setAttribute("class", "cursor");
    line.setAttribute("y1", "12");
    line.setAttribute("y2", String(height - 24));
    line.setAttribute("visibility", "hidden");
    chart.append(line);
    return line;
  });
  const show = (wanted, moves = true) => {
    at = Math.min(steps.length - 1, Math.max(0, wanted));
    const minute = Number(steps[at].dataset.minute);
    steps.forEach((step, n) => step.classList.toggle("on", n === at));
    document.querySelectorAll(".mark").forEach((mark) => mark.classList.toggle("on", Number(mark.dataset.step) === at + 1));
    charts.forEach((chart, n) => {
      const [low, high, start, end] = ["low", "high", "start", "end"].map((name) => Number(chart.dataset[name]));
      const x = String(start + ((end - start) * (minute - low)) / (high - low));
      cursors[n].setAttribute("x1", x);
      cursors[n].setAttribute("x2", x);
      cursors[n].setAttribute("visibility", minute >= low && minute <= high ? "visible" : "hidden");
    });
    stepper.querySelector("output").textContent = `${at + 1} of ${steps.length}`;
    if (moves) {
      steps[at].focus({ preventScroll: true });
      steps[at].scrollIntoView({ block: "nearest" });
    }
  };
  const moves = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, Home: () => 0, End: () => steps.length - 1 };
  const buttons = { first: "Home", back: "ArrowLeft", on: "ArrowRight", last: "End" };
  Object.entries(buttons).forEach(([name, key]) => {
    stepper.querySelector(`[name=${name}]`).addEventListener("click", () => show(moves[key](), false));
  });
  document.addEventListener("keydown", (event) => {
    const plain = !(event.ctrlKey || event.altKey || event.metaKey || event.shiftKey);
    const whole = event.key === "Home" || event.key === "End";
    if (!plain || !(event.key in moves) || (whole && !document.activeElement.closest(".steps"))) return;
    event.preventDefault();
    show(moves[event.key]());
  });
  steps.forEach((step, n) => step.addEventListener("click", () => show(n, false)));
  document.querySelectorAll(".mark").forEach((mark) => {
    mark.addEventListener("click", () => show(Number(mark.dataset.step) - 1));
  });
  stepper.hidden = false;
})();
