/** The contact form and what is said after it was sent. What was written is never shown to anybody by a page. */

import { type ContactBox, MAX_FIELD_CHARACTERS, MAX_MESSAGE_CHARACTERS } from "../../catalog/contact-box.ts";
import { type Html, html } from "../html.ts";
import { type Answer, answerPage, ROOT } from "./layout.ts";
import type { CatalogueSite } from "./site.ts";

const PATH: string = `${ROOT}/contact`;

function answer(site: CatalogueSite, status: number, body: Html): Answer {
  return answerPage(site, {
    title: "Contact",
    description: "Ask a question, or tell what is wrong in the catalogue.",
    path: PATH,
    isPrivate: status !== 200,
    status,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: "Contact", path: PATH },
    ],
    body: html`<h1>Contact</h1>${body}`,
  });
}

export function answerContact(site: CatalogueSite): Answer {
  return answer(
    site,
    200,
    html`<p>Have a question, or found something that is wrong? Send a message to whoever runs this catalogue.</p>
<form action="${PATH}" method="post">
<label for="name">Name</label><input id="name" name="name" autocomplete="name" maxlength="${MAX_FIELD_CHARACTERS}">
<label for="email">E-mail, for an answer</label><input id="email" name="email" type="email" autocomplete="email" maxlength="${MAX_FIELD_CHARACTERS}">
<label for="message">Message</label><textarea id="message" name="message" rows="7" required maxlength="${MAX_MESSAGE_CHARACTERS}"></textarea>
<button>Send</button>
</form>
<p class="soft">It is kept by whoever runs this catalogue and sent nowhere else.</p>`,
  );
}

export function takeContact(site: CatalogueSite, box: ContactBox, form: URLSearchParams, source: string, nowMs: number): Answer {
  const read = (key: string): string => (form.get(key) ?? "").trim();
  const [name, email, message] = [read("name"), read("email"), read("message")];
  if (message === "") return answer(site, 400, html`<p role="status">There is no message in it. <a href="${PATH}">Try again</a></p>`);
  if (message.length > MAX_MESSAGE_CHARACTERS || name.length > MAX_FIELD_CHARACTERS || email.length > MAX_FIELD_CHARACTERS)
    return answer(site, 400, html`<p role="status">The message is too long. <a href="${PATH}">Try again</a></p>`);
  switch (box.post({ name, email, message }, source, nowMs)) {
    case "stored":
      return answer(site, 201, html`<p role="status"><strong>Message sent.</strong> It is kept for whoever runs this catalogue.</p>`);
    case "too many":
      return answer(site, 429, html`<p role="status">Too many messages came within an hour. Try again later.</p>`);
    case "full":
      return answer(site, 503, html`<p role="status">No message can be taken now. Try again later.</p>`);
  }
}
