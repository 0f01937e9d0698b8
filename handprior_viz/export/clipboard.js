// Copying text, also where a page is not served safely (http, file) and the browser offers no clipboard to it.

/** Begin to copy, in the click that asks for it, what is still to come; call what this gives back with the text. Later
 * Safari would refuse. */
function copyLater() {
  let give, begun;
  const words = new Promise((resolve) => { give = resolve; }).then((text) => new Blob([text], { type: "text/plain" }));
  try {
    begun = navigator.clipboard.write([new ClipboardItem({ "text/plain": words })]).then(() => true, () => false);
  } catch {
    begun = Promise.resolve(false);
  }
  return async (text) => {
    give(text);
    return (await begun) || copyText(text);
  };
}

/** Put text on the clipboard; false where nothing helps and the person has to copy it by hand. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.style.cssText = "position: fixed; top: 0; opacity: 0";
    const focused = document.activeElement;
    document.body.appendChild(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus?.({ preventScroll: true });
    return copied;
  }
}
