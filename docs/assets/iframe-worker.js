// A browser starts no worker from a page that was opened as a file, and the site's search
// is one. There a hidden frame does its work. "Offline" in mkdocs.yml asks for this by the
// name of the file.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.body.appendChild(document.createElement("iframe"));
      frame.hidden = true;
      frame.contentDocument.open(); // else a browser may empty the frame once more
      frame.contentDocument.close();
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => tell(this, data);
      this.ready = new Promise((done) => {
        const script = frame.contentDocument.createElement("script");
        script.src = address;
        script.onload = done;
        frame.contentDocument.documentElement.append(script);
      });
    }

    postMessage(data) {
      this.ready.then(() => tell(this.inside, data));
    }

    terminate() {}
  };

  const tell = (target, data) => target.dispatchEvent(new MessageEvent("message", { data }));
}
