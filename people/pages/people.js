// The one thing here that a page cannot do without script: asking the browser for a
// passkey. The answer goes into the form, and the form is sent as any other.
"use strict";

const told = {
  NotAllowedError: "The passkey was not used: the dialogue was closed, or took too long. Try again.",
  InvalidStateError: "This device has a passkey of yours already. Sign in with it, or use another device.",
  SecurityError: "The browser does not give passkeys to this address. Check that the address is the one you were given, without a certificate warning.",
  NotSupportedError: "This device cannot make or use a passkey. Use another device, or a security key.",
  ConstraintError: "This device cannot check your fingerprint, face or PIN. Set one up first, or use another device.",
};

async function ask(form) {
  const options = JSON.parse(form.dataset.options);
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
    throw new DOMException("", "NotSupportedError");
  }
  const credential = form.dataset.passkey === "create"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  form.elements.response.value = JSON.stringify(credential.toJSON());
  form.submit();
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("button");
  const trouble = form.querySelector("[data-trouble]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    trouble.hidden = true;
    button.disabled = true;
    ask(form).catch((error) => {
      trouble.textContent = told[error.name] || "The passkey could not be used (" + error.name + ").";
      trouble.hidden = false;
      button.disabled = false;
      button.focus();
    });
  });
}
