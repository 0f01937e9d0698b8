// Copying text, also where a page is not served safely (http, file) and the browser offers no clipboard to it.

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
