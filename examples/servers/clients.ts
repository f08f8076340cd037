import { attachTokens } from "@unexpired/adapter-axios";
import { withTokens as withGotTokens } from "@unexpired/adapter-got";
import { withTokens as withOfetchTokens } from "@unexpired/adapter-ofetch";
import { createFetch } from "@unexpired/core";
import axios from "axios";
import got from "got";
import { ofetch } from "ofetch";
import { tokens } from "./sessions.ts";

const { API = "https://api.example" } = process.env;

export const axiosAsUser = axios.create({ baseURL: API });
attachTokens(axiosAsUser, tokens);

export const ofetchAsUser = ofetch.create(withOfetchTokens(tokens, { baseURL: API }));

export const gotAsUser = got.extend(withGotTokens(tokens, { origins: [new URL(API).origin] }), { prefixUrl: API });

export const fetchAsUser = createFetch(tokens, { origins: [new URL(API).origin] });
