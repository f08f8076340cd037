export{createAuthorizer}from"./chunk-Z5HIQ2ME.js";import"./chunk-JVUC6HFW.js";export{redactRequest,setInspectView}from"./chunk-ZIFGHJP5.js";
