// The token that the reader typed: it lives as long as the tab, and nowhere else.

const KEY = "s4cast.token";

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};
