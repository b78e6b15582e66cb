"use strict";

// Figures as files: SVG and PNG as they stand (renamed, hidden, highlighted) in ink on white, data as CSV.
{
  const INK = "#1a1d21";
  const SHARPNESS = 3; // pixels of the PNG per CSS pixel

  function alone(drawing) {
    const box = drawing.viewBox.baseVal;
    const copy = drawing.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", `${box.width}pt`);
    copy.setAttribute("height", `${box.height}pt`);
    copy.setAttribute("style", `color: ${INK}`);
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    const toolbox = document.getElementById("toolbox-style")?.textContent ?? "";
    style.textContent = `svg.figure * { stroke-linejoin: round; stroke-linecap: butt; } ${toolbox}`;
    copy.prepend(style);
    return new XMLSerializer().serializeToString(copy);
  }

  async function png(drawing, name) {
    const box = drawing.viewBox.baseVal;
    const address = URL.createObjectURL(new Blob([alone(drawing)], { type: "image/svg+xml" }));
    try {
      const picture = new Image();
      picture.src = address;
      await picture.decode();
      const canvas = document.createElement("canvas");
      canvas.width = Math.round((box.width * SHARPNESS * 4) / 3);
      canvas.height = Math.round((box.height * SHARPNESS * 4) / 3);
      const context = canvas.getContext("2d");
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((done) => canvas.toBlob(done));
      if (!blob) throw new Error("the browser made no PNG of it");
      masklab.download(name, "image/png", [blob]);
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  async function data(key, name) {
    const { columns, rows } = (await masklab.payload()).figures[key];
    masklab.csv(name, [columns, ...rows]);
  }

  const kinds = {
    svg: (figure, name) => masklab.download(name, "image/svg+xml", [alone(figure.querySelector("svg.figure"))]),
    png: (figure, name) => png(figure.querySelector("svg.figure"), name),
    csv: (figure, name) => data(figure.id, name),
  };

  for (const button of document.querySelectorAll("figure .tools button")) {
    button.addEventListener("click", async () => {
      const figure = button.closest("figure");
      const kind = button.dataset.kind;
      try {
        await kinds[kind](figure, `${figure.dataset.name}.${kind}`);
        masklab.say(`${kind.toUpperCase()} of the figure downloaded`);
      } catch (error) {
        masklab.say(`No ${kind.toUpperCase()} of the figure: ${error.message}`);
      }
    });
  }
  for (const tools of document.querySelectorAll("figure .tools")) tools.hidden = false;
}
