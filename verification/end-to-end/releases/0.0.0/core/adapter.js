export{createAuthorizer}from"./chunk-LQUQ3RY5.js";import"./chunk-JVUC6HFW.js";export{redactRequest,setInspectView}from"./chunk-25QMIQFB.js";
