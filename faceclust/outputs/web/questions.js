"use strict";
// Collect the answers, and save them as a file or copy them as text. Nothing is sent and nothing is stored.
(() => {
  const element = (id) => document.getElementById(id);
  const [sender, finish, result, text, textRow] = ["sender", "finish", "result", "text", "text-row"].map(element);
  const questions = [...document.querySelectorAll("[data-question]")];
  const page = document.documentElement.dataset.page;
  let isSaved = true;

  const nameField = (question) => question.querySelector(".name input");
  const choice = (question) => question.querySelector(".choices input:checked")?.value;

  // The answer to a question, null without one.
  const readAnswer = (question) => {
    const number = Number(question.dataset.question);
    const name = nameField(question).value.trim();
    const chosen = choice(question);
    if (chosen === "unknown") return { question: number, unknown: true };
    if (chosen === "yes") return { question: number, is: true };
    if (chosen === "no") return name ? { question: number, is: false, name } : { question: number, is: false };
    return name ? { question: number, name } : null;
  };

  const readAnswers = () => questions.map(readAnswer).filter(Boolean);

  // JSON in short lines of ASCII, which no mail program breaks or encodes.
  const quote = (value) => JSON.stringify(value)
    .replace(/[\u007f-\uffff]/g, (character) => "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0"));
  const formatAnswers = (answers) => [
    '{"faceclust-answers": 1,',
    ` "page": ${quote(page)},`,
    ` "from": ${quote(sender.value.trim())},`,
    ' "answers": [',
    answers.map((answer) => `  ${quote(answer)}`).join(",\n"),
    " ]}",
    "",
  ].join("\n");

  const showProgress = () => {
    element("progress").value = `${readAnswers().length} of ${questions.length} answered`;
  };

  const show = (message) => {
    finish.hidden = false;
    result.textContent = message;
    finish.scrollIntoView({ block: "end" });
  };

  // The text of the answers; "" if something is missing, which is shown.
  const prepare = () => {
    const answers = readAnswers();
    const isNameless = !sender.value.trim();
    sender.toggleAttribute("aria-invalid", isNameless);
    if (isNameless) {
      sender.setAttribute("aria-invalid", "true");
      element("sender-why").textContent = "Type your name first: so that it is known whose answers these are.";
      sender.focus();
      sender.scrollIntoView({ block: "center" });
      return "";
    }
    if (!answers.length) {
      show("No question is answered yet.");
      return "";
    }
    return formatAnswers(answers);
  };

  element("save").addEventListener("click", () => {
    const content = prepare();
    if (!content) return;
    const name = `faceclust-answers-${page.slice(0, 8)}.json`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    isSaved = true;
    show(`Saved as ${name}, in your downloads. Mail this file back to the person who sent you the page.`);
  });

  element("copy").addEventListener("click", async () => {
    const content = prepare();
    if (!content) return;
    textRow.hidden = false;
    text.value = content;
    text.focus();
    text.select();
    let isCopied = false;
    try {
      await navigator.clipboard.writeText(content);
      isCopied = true;
    } catch { // no clipboard for a page of this origin
      isCopied = document.execCommand("copy");
    }
    isSaved = true;
    show(isCopied ? "Copied. Paste it into a mail to the person who sent you the page." : "Copy the text below, and paste it into a mail.");
  });

  for (const question of questions) {
    const name = nameField(question);
    const row = question.querySelector(".name");
    const unknown = question.querySelector("input[type=checkbox]");
    question.addEventListener("input", (event) => {
      isSaved = false;
      if (!unknown) row.hidden = choice(question) !== "no";
      else if (event.target === name && name.value.trim()) unknown.checked = false;
      else if (event.target === unknown && unknown.checked) name.value = "";
      showProgress();
    });
  }
  // Enter goes on to the next field, as on a paper form.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input:not([type=radio], [type=checkbox])")) return;
    const at = questions.findIndex((question) => question.contains(event.target));
    (questions[at + 1]?.querySelector("input:not([hidden] input)") ?? element("save")).focus();
  });
  addEventListener("beforeunload", (event) => { if (!isSaved) event.preventDefault(); });
  sender.addEventListener("input", () => sender.removeAttribute("aria-invalid"));

  element("bar").hidden = false;
  finish.hidden = true;
  // A browser may restore what was filled in before a reload.
  for (const question of questions) if (!question.querySelector("input[type=checkbox]")) question.querySelector(".name").hidden = choice(question) !== "no";
  showProgress();
})();
